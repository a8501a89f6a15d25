# Sends ready-made packets, as Node has no raw sockets; runs on the perl that is part of every Debian. One a line:
#   frame INDEX HEX       an Ethernet frame out of the device with that index
#   v4 MARK ADDRESS HEX   an IPv4 packet of this host, routed by a mark
#   v6 MARK ADDRESS HEX   an IPv6 packet of this host
#   done                  answered by `done`: all before has gone
# What the host's own rules refuse has gone as well.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6);
use constant { AF_PACKET => 17, IPPROTO_RAW => 255, SO_MARK => 36 };

my %sockets;

sub opened {
  my ($family, $protocol) = @_;
  $sockets{$family} //= do {
    socket(my $socket, $family, SOCK_RAW, $protocol) or die "socket: $!\n";
    $socket;
  };
  return $sockets{$family};
}

sub sent {
  my ($socket, $bytes, $to) = @_;
  defined send($socket, $bytes, 0, $to) or $!{EPERM} or die "send: $!\n";
}

$| = 1;
while (my $line = <STDIN>) {
  chomp $line;
  my ($kind, @words) = split / /, $line;
  if ($kind eq "done") {
    print "done\n";
  } elsif ($kind eq "frame") {
    my ($index, $hex) = @words;
    sent(opened(AF_PACKET, 0), pack("H*", $hex), pack("S n l S C C a8", AF_PACKET, 0, $index, 0, 0, 0, ""));
  } else {
    my ($mark, $address, $hex) = @words;
    my $socket = opened($kind eq "v4" ? AF_INET : AF_INET6, IPPROTO_RAW);
    setsockopt($socket, SOL_SOCKET, SO_MARK, pack("l", $mark)) or die "mark: $!\n";
    my $to = $kind eq "v4" ? pack_sockaddr_in(0, inet_aton($address)) : pack_sockaddr_in6(0, inet_pton(AF_INET6, $address));
    sent($socket, pack("H*", $hex), $to);
  }
}
