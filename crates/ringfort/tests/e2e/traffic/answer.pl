# Answers on every port of its arguments after the first, `tcp,PORT` or `udp,PORT`, until it is ended. The first is an
# address of the family that it answers in.
use strict;
use warnings;
use Socket qw(:DEFAULT IN6ADDR_ANY);

my $six = shift =~ /:/;
my %sockets;
for my $port (@ARGV) {
    my ($protocol, $number) = split /,/, $port;
    my $udp = $protocol eq "udp";
    socket(my $socket, $six ? PF_INET6 : PF_INET, $udp ? SOCK_DGRAM : SOCK_STREAM, $udp ? 17 : 6)
        or die "socket: $!";
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, pack("l", 1)) or die "setsockopt: $!";
    my $any = $six ? pack_sockaddr_in6($number, IN6ADDR_ANY) : pack_sockaddr_in($number, INADDR_ANY);
    bind($socket, $any) or die "$port: $!";
    $udp or listen($socket, 128) or die "listen: $!";
    $sockets{fileno $socket} = [$socket, $udp];
}
while (1) {
    my $readable = "";
    vec($readable, $_, 1) = 1 for keys %sockets;
    select($readable, undef, undef, undef);
    for my $number (grep { vec($readable, $_, 1) } keys %sockets) {
        my ($socket, $udp) = @{ $sockets{$number} };
        if ($udp) {
            my $from = recv($socket, my $heard, 9, 0);
            send($socket, $heard, 0, $from) if $from;
        } else {
            my $connection;
            accept($connection, $socket) and close $connection;
        }
    }
}
