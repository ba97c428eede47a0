# Hashes, regular expressions, sorting and numbers in Perl itself.
use strict;
my %sums;
$sums{"k" . ($_ * 7919 % 5003)} += $_ for 1 .. 150_000;
my @keys = sort { $sums{$b} <=> $sums{$a} || $a cmp $b } keys %sums;
print "keys @keys[0, -1]\n";

my $text = join " ", map { "w$_ " . ($_ * 3) } 1 .. 50_000;
my $found = 0;
$found += $2 - $1 while $text =~ /w(\d+) (\d+)/g;
(my $changed = $text) =~ s/w(\d)/<$1>/g;
print "text $found ", length $changed, "\n";

my $x = 1;
$x = ($x * 31 + $_) & 0xffff for 1 .. 900_000;
print "number $x\n";

sub paths { my $n = shift; $n < 2 ? 1 : paths($n - 1) + paths($n - 2) }
print "paths ", paths(20), "\n";
