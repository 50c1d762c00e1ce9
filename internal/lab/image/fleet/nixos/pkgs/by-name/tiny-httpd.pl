#! /usr/bin/perl
# tiny-httpd PORT FILE: answers every HTTP request with FILE.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $file) = @ARGV;
defined $file or die "usage: tiny-httpd PORT FILE\n";
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 64, ReuseAddr => 1)
    or die "tiny-httpd: cannot listen on port $port: $!\n";
$SIG{PIPE} = 'IGNORE';
while (my $client = $listener->accept) {
    # A client that sends nothing must not keep the others waiting.
    $client->sockopt(SO_RCVTIMEO, pack('l!l!', 2, 0));
    while (my $line = <$client>) {
        last if $line =~ /^\r?\n$/;
    }
    open my $handle, '<', $file or next;
    my $body = do { local $/; <$handle> };
    printf $client "HTTP/1.0 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
        length $body, $body;
    close $client;
}
