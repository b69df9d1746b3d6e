# Tries every target of its arguments at once, `tcp,ADDRESS,PORT` or `udp,ADDRESS,PORT`, and says of each
# whether somebody answered (open), packets came through to nobody (refused), or neither (silent).
use strict;
use warnings;
use Errno qw(EINPROGRESS ECONNREFUSED);
use Fcntl;
use Socket qw(:DEFAULT inet_pton);

my (%waiting, %answer);
for my $target (@ARGV) {
    my ($protocol, $address, $port) = split /,/, $target;
    my $udp = $protocol eq "udp";
    my $six = $address =~ /:/;
    socket(my $socket, $six ? PF_INET6 : PF_INET, $udp ? SOCK_DGRAM : SOCK_STREAM, $udp ? 17 : 6)
        or die "socket: $!";
    fcntl($socket, F_SETFL, O_NONBLOCK) or die "fcntl: $!";
    my $at = $six
        ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address))
        : pack_sockaddr_in($port, inet_aton($address));
    my $connected = connect($socket, $at);
    if ($connected || $! == EINPROGRESS) {
        $waiting{$target} = { socket => $socket, udp => $udp };
    } else {
        $answer{$target} = $! == ECONNREFUSED ? "refused" : "silent";
    }
}
my ($end, $sent) = (time + 4, 0);
while (%waiting && time < $end) {
    my $send = time > $sent;
    $sent = time;
    my ($readable, $writable) = ("", "");
    for my $it (values %waiting) {
        # A datagram may be lost; an error of one before it is told by the next.
        send($it->{socket}, "?", 0) if $it->{udp} && $send;
        vec($it->{udp} ? $readable : $writable, fileno $it->{socket}, 1) = 1;
    }
    select($readable, $writable, undef, 0.25);
    for my $target (keys %waiting) {
        my ($socket, $udp) = @{ $waiting{$target} }{qw(socket udp)};
        next unless vec($udp ? $readable : $writable, fileno $socket, 1);
        my $error = 0;
        if ($udp) {
            $error = $! + 0 unless defined recv($socket, my $heard, 9, 0);
        } else {
            $error = unpack "i", getsockopt($socket, SOL_SOCKET, SO_ERROR);
        }
        $answer{$target} = !$error ? "open" : $error == ECONNREFUSED ? "refused" : "silent";
        delete $waiting{$target};
    }
}
print "$_ ", $answer{$_} // "silent", "\n" for @ARGV;
