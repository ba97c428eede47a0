-- Tables, closures, strings and numbers in Lua itself.
local function paths(n)
  if n < 2 then return 1 end
  return paths(n - 1) + paths(n - 2)
end
print("paths", paths(26))

local numbers = {}
for i = 1, 120000 do numbers[i] = i * 7919 % 120011 end
table.sort(numbers, function(a, b) return a > b end)
print("sorted", numbers[1], numbers[#numbers])

local parts = {}
for i = 1, 50000 do parts[#parts + 1] = string.format("%d:%s", i, ("ab"):rep(i % 5)) end
local text = table.concat(parts, ",")
print("text", #text, select(2, text:gsub("(%d+):ab", "%1=")))

local count = 0
local function counter(step)
  return function() count = count + step return count end
end
local up, down = counter(3), counter(-2)
for _ = 1, 400000 do up() down() end
print("count", count)

local x, y = 0.3, 0.2
for _ = 1, 800000 do x, y = 1 - 1.4 * x * x + y, 0.3 * x end
print("henon", string.format("%.6f", x))
