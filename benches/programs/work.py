"""Calls, objects, containers, text and numbers in Python itself."""
import collections
import json
import math
import re


def paths(n):
    return 1 if n < 2 else paths(n - 1) + paths(n - 2)


class Account:
    def __init__(self, owner, amount):
        self.owner = owner
        self.amount = amount

    def move(self, other, amount):
        self.amount -= amount
        other.amount += amount


print("paths", paths(22))

text = " ".join(f"w{i * 7919 % 1009}x{i % 7}" for i in range(50_000))
words = collections.Counter(re.findall(r"w(\d+)", text))
print("words", len(words), words.most_common(3))
print("replaced", len(re.sub(r"x([0-3])", r"<\1>", text)))

accounts = [Account(i, 1000) for i in range(500)]
for i in range(120_000):
    accounts[i % 500].move(accounts[i * 31 % 500], i % 9)
print("accounts", sum(a.amount * a.owner for a in accounts))

records = [{"id": i, "tags": [i % 3, i % 5], "name": str(i)} for i in range(6000)]
copy = json.loads(json.dumps(records))
copy.sort(key=lambda r: (r["tags"], r["name"]))
print("records", copy[0]["id"], copy[-1]["id"])

print("sum", round(sum(math.sin(i) * math.sqrt(i) for i in range(120_000)), 6))
sieve = bytearray([1]) * 200_000
for i in range(2, 448):
    if sieve[i]:
        sieve[i * i :: i] = bytes(len(range(i * i, 200_000, i)))
print("primes", sum(sieve) - 2)
