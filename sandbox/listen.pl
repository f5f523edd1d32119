#!/usr/bin/perl
# Bind the sandbox's listeners on ports that the kernel picks, write nginx's configuration with those ports,
# and become nginx. nginx takes the sockets over through its NGINX variable (the way it does on an upgrade of
# its own binary), so no port can be lost between choosing it and using it.
#
# usage: listen.pl DIRECTORY HERE=DIRECTORY_OF_THE_TEMPLATES NAME=VALUE...
# Writes DIRECTORY/ports (NAME PORT lines), DIRECTORY/nginx.conf and DIRECTORY/locations.conf.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 unpack_sockaddr_in6 IPPROTO_IPV6 IPV6_V6ONLY);
use Fcntl qw(F_SETFL O_NONBLOCK);
use POSIX ();

$^F = 255;    # keep the sockets open across exec
my ($directory, @pairs) = @ARGV;
my %value = map { split /=/, $_, 2 } @pairs;
$value{DIR} = $directory;
my (@handles, @ports);

sub bound {
    my ($family, $address) = @_;
    socket(my $handle, $family, SOCK_STREAM, 0) or return;
    setsockopt($handle, SOL_SOCKET, SO_REUSEADDR, 1);
    setsockopt($handle, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $family == AF_INET6;
    bind($handle, $address) && listen($handle, 511) or return;
    push @handles, $handle;
    return $handle;
}

# The alternative listener is "another origin" for redirect tests; see README.md, "Listeners".
for my $name (qw(PLAIN OTHER TLS TLS1 MTLS PROXY)) {
    my $handle = bound(AF_INET, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die "cannot listen on 127.0.0.1: $!\n";
    $value{$name} = (unpack_sockaddr_in(getsockname $handle))[0];
    push @ports, "$name $value{$name}";
}

my $six = bound(AF_INET6, pack_sockaddr_in6(0, inet_pton(AF_INET6, '::1')));
if ($six) {
    my $port = (unpack_sockaddr_in6(getsockname $six))[0];
    $value{LISTEN_SIX} = "listen [::1]:$port ipv6only=on;";
    push @ports, "SIX $port";
} else {
    $value{LISTEN_SIX} = '';
}

# Two addresses for failures: a port that is taken but not listened on, so that connections are refused; and one whose
# queue is full, so that the kernel answers no connection at all. nginx keeps them open without knowing of them.
my @dead;
for my $name (qw(CLOSED SILENT)) {
    socket(my $handle, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    bind($handle, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die "cannot bind to 127.0.0.1: $!\n";
    push @dead, $handle;
    push @ports, "$name " . (unpack_sockaddr_in(getsockname $handle))[0];
    next if $name eq 'CLOSED';
    listen($handle, 0) or die "listen: $!\n";
    for (1 .. 4) {
        socket(my $filler, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
        fcntl($filler, F_SETFL, O_NONBLOCK);
        connect($filler, getsockname $handle);
        push @dead, $filler;
    }
}

for my $name (qw(nginx.conf locations.conf)) {
    open my $in, '<', "$value{HERE}/$name" or die "$value{HERE}/$name: $!\n";
    my $text = do { local $/; <$in> };
    $text =~ s/\@([A-Z][A-Z_0-9]*)\@/exists $value{$1} ? $value{$1} : die "no value for $1\n"/ge;
    open my $out, '>', "$directory/$name" or die "$directory/$name: $!\n";
    print $out $text;
    close $out or die "$directory/$name: $!\n";
}
open my $out, '>', "$directory/ports.new" or die "$directory/ports: $!\n";
print $out "$_\n" for @ports;
close $out or die "$directory/ports: $!\n";
rename "$directory/ports.new", "$directory/ports";

POSIX::setsid();    # Ctrl-C at the terminal is for the command, which may still want to talk to the sandbox
$ENV{NGINX} = join '', map { fileno($_) . ';' } @handles;
exec 'nginx', '-p', $directory, '-c', "$directory/nginx.conf", '-e', "$directory/error.log";
die "cannot run nginx: $!\n";
