#!/usr/bin/perl
# Connects /dev/nbd0 to the head node, lays dm-verity over it, and keeps the connection for as long as the node runs.
#
#   stream.pl start HOST PORT        with the numbers of the boot sheet in ./stream; returns when the root can be read
#   stream.pl damaged                ends well where a block was found that is not what the hash tree promises
#
# Why not nbd-client: the kernel fails every request that meets a dead connection, unless it was told how long to wait
# for a new one (NBD_ATTR_DEAD_CONN_TIMEOUT), and takes a new one by NBD_CMD_RECONFIGURE alone. Both are said by
# generic netlink (include/uapi/linux/nbd-netlink.h), and nbd-client 3.24 says neither.
#
# What runs on belongs to no file of stage 1 any more: files and folders that it needs later are open before the root
# changes, and its folder is ./ (/run/provisioner, which moves into the running system). Its name starts with @, so
# that systemd leaves it alone at shutdown (systemd.io/ROOT_STORAGE_DAEMONS).
#
# ./stream-token is the token of the stream, which the agent renews; ./stream-state says how things stand.
use strict;
use warnings;

my $NAME       = 'provisioner-root';
my $CHECKED    = 'provisioner-checked';
my $PATIENCE   = 900;
my $FOR_EVER   = 10 * 365 * 24 * 3600;
my $REQUEST    = 30;
my $WAIT       = 600;
my $PIECE      = 1 << 20;
my $SPARE      = 128 << 20;
my ($AF_INET, $AF_INET6, $AF_NETLINK, $STREAM, $RAW) = (2, 10, 16, 1, 3);

my %sheet;
my ($host, $port, $socket);

sub say_all {
    my ($text) = @_;
    for my $place ([\*CONSOLE, ''], [\*KMSG, '<6>']) {
        syswrite $place->[0], "$place->[1]provisioner: $text\n" if defined fileno $place->[0];
    }
}

sub note {
    # Whole or not at all: the agent may read it at any moment.
    my ($state, $fault) = @_;
    open my $file, '>', 'stream-state.new' or return;
    print $file "stream=$state\n";
    print $file "stream_fault=$fault\n" if $fault;
    close $file and rename 'stream-state.new', 'stream-state';
}

sub content {
    my ($name) = @_;
    open my $file, '<', $name or return '';
    local $/;
    my $text = <$file> // '';
    $text =~ s/\n\z//;
    return $text;
}

# --- NBD: fixed newstyle negotiation with NBD_OPT_GO (doc/proto.md of the NBD project)

sub receive {
    my ($from, $count) = @_;
    my $data = '';
    while (length $data < $count) {
        my $ready = '';
        vec($ready, fileno $from, 1) = 1;
        select $ready, undef, undef, 20 or die "the head node is silent\n";
        sysread $from, $data, $count - length $data, length $data or die "the head node hung up\n";
    }
    return $data;
}

sub socket_address {
    # As ip(7) and ipv6(7) want it; an IPv6 address comes in brackets, as in a URL.
    my ($text) = $host =~ /\A\[(.*)\]\z/ or return ($AF_INET, pack 'S n C4 x8', $AF_INET, $port, split /\./, $host);
    my ($front, $back) = map { [map { hex } split /:/] } split /::/, $text, 2;
    my @words = (@$front, (0) x (8 - @$front - @{$back // []}), @{$back // []});
    return ($AF_INET6, pack 'S n x4 n8 x4', $AF_INET6, $port, @words);
}

sub connected {
    my ($server);
    my ($kind, $address) = socket_address();
    socket $server, $kind, $STREAM, 0 or die "no socket: $!\n";
    # 20 s for sending: also how long connect() may take (socket(7), SO_SNDTIMEO).
    setsockopt $server, 1, 21, pack 'q2', 20, 0;
    connect $server, $address or die "$!\n";
    setsockopt $server, 1, 21, pack 'q2', 0, 0;
    setsockopt $server, 6, 1, pack 'i', 1;
    # A head node that lost its power is noticed in half a minute, with questions open (TCP_USER_TIMEOUT) or without.
    setsockopt $server, 1, 9, pack 'i', 1;
    setsockopt $server, 6, $_->[0], pack 'i', $_->[1] for [4, 10], [5, 5], [6, 4], [18, 30_000];
    return $server;
}

sub negotiated {
    my $server = connected();
    my ($magic, $option, $flags) = unpack 'a8 a8 n', receive($server, 18);
    die "that is no NBD server\n" if $magic ne 'NBDMAGIC' or $option ne 'IHAVEOPT';
    my $token = content('stream-token');
    my $wish  = pack 'N/a n', $token, 0;
    syswrite $server, pack 'N a8 N N/a', 3, 'IHAVEOPT', 7, $wish;
    my $size;
    while (1) {
        my ($reply, $length) = unpack 'x12 N N', receive($server, 20);
        die "an answer of $length bytes\n" if $length > 65_536;
        my $data = $length ? receive($server, $length) : '';
        die "refused: $data\n" if $reply & 0x80000000;
        last if $reply == 1;
        $size = unpack 'x2 Q>', $data if $reply == 3 and unpack('n', $data) == 0;
    }
    my $wanted = $sheet{root_size} + $sheet{verity_size};
    die "the head node offers another root\n" if ($size // -1) != $wanted;
    return $server;
}

# --- generic netlink

my $sequence = 0;
my $family;

sub attribute {
    my ($type, $data) = @_;
    my $length = 4 + length $data;
    return pack('S S', $length, $type) . $data . "\0" x (-$length & 3);
}

sub ask_kernel {
    # ask_kernel TYPE COMMAND ATTRIBUTES: the attributes of the answer; dies with the kernel's reason.
    my ($type, $command, $attributes) = @_;
    my $body = pack('C C S', $command, 1, 0) . $attributes;
    syswrite NETLINK, pack('L S S L L', 16 + length $body, $type, 5, ++$sequence, 0) . $body
        or die "generic netlink: $!\n";
    my $answer = '';
    while (1) {
        sysread NETLINK, my $data, 65_536 or die "generic netlink: $!\n";
        while (length $data >= 16) {
            my ($length, $kind) = unpack 'L S', $data;
            if ($kind == 2) {
                my $error = unpack 'x16 l', $data;
                return $answer if $error == 0;
                $! = -$error;
                die "the kernel refuses: $!\n";
            }
            $answer = substr $data, 20, $length - 20;
            $data = substr $data, ($length + 3) & ~3;
        }
    }
}

sub open_netlink {
    socket NETLINK, $AF_NETLINK, $RAW, 16 or die "no generic netlink: $!\n";
    # CTRL_CMD_GETFAMILY of the family 16, by CTRL_ATTR_FAMILY_NAME; CTRL_ATTR_FAMILY_ID is 1.
    my $told = ask_kernel(16, 3, attribute(2, "nbd\0"));
    while (length $told >= 4) {
        my ($length, $type) = unpack 'S S', $told;
        $family = unpack 'x4 S', $told if $type == 1;
        $told = substr $told, ($length + 3) & ~3;
    }
    die "the kernel has no nbd\n" if not $family;
}

sub hand_to_kernel {
    # hand_to_kernel COMMAND: 1 is NBD_CMD_CONNECT, 3 is NBD_CMD_RECONFIGURE.
    my ($command) = @_;
    my $item = attribute(1 | 0x8000, attribute(1, pack 'L', fileno $socket));
    my $attributes = attribute(1, pack 'L', 0) . attribute(7 | 0x8000, $item) . attribute(8, pack 'Q', $FOR_EVER);
    if ($command == 1) {
        my %numbers = (2 => $sheet{root_size} + $sheet{verity_size}, 3 => 4096, 4 => $REQUEST, 5 => 3);
        $attributes .= attribute($_, pack 'Q', $numbers{$_}) for sort keys %numbers;
    }
    ask_kernel($family, $command, $attributes);
}

sub disconnect {
    # NBD_CMD_DISCONNECT
    eval { ask_kernel($family, 2, attribute(1, pack 'L', 0)) };
}

# --- device mapper (include/uapi/linux/dm-ioctl.h, version 4)

sub mapper {
    # mapper NAME NUMBER FLAGS [TARGET PARAMETERS]: the answer of an ioctl about a device of ours.
    my ($name, $number, $flags, $target, $parameters) = @_;
    my $table = '';
    if ($target) {
        $parameters .= "\0" x (8 - length($parameters) % 8);
        my $sectors = $sheet{root_size} / 512;
        $table = pack('Q Q l L a16', 0, $sectors, 0, 40 + length $parameters, $target) . $parameters;
    }
    my $room = 312 + length($table) + 4096;
    my $data = pack 'L3 L L L l L L L Q a128 a129 x7', 4, 0, 0, $room, 312, $target ? 1 : 0, 0, $flags, 0, 0, 0, $name, '';
    $data .= $table . "\0" x 4096;
    ioctl MAPPER, 0xC138FD00 | $number, $data or die "device mapper: $!\n";
    return $data;
}

sub map_device {
    # map_device NAME TARGET PARAMETERS: a new device for reading.
    my ($name, $target, $parameters) = @_;
    mapper($name, 3, 1);
    mapper($name, 9, 1, $target, $parameters);
    mapper($name, 6, 0);
}

sub checked {
    # The name of the device that dm-verity checks.
    return $sheet{loop} ? $CHECKED : $NAME;
}

sub map_root {
    my $blocks = $sheet{root_size} / 4096;
    map_device(checked(), 'verity', "1 43:0 43:0 4096 4096 $blocks $blocks sha256 $sheet{verity_root} -");
    # A table with dm-verity can never be replaced by another kind (DM_TARGET_IMMUTABLE): what is to become memory
    # later needs a layer above it.
    map_device($NAME, 'linear', device_number($CHECKED) . ' 0') if $sheet{loop};
}

sub map_local {
    # The copy came through dm-verity, and is memory from now on, as every packed root in memory is.
    mapper($NAME, 9, 1, 'linear', "$sheet{loop} 0");
    mapper($NAME, 6, 2);
    mapper($NAME, 6, 0);
    # DM_DEV_REMOVE; somebody may just look at it, as udev does at every device.
    for (1 .. 20) {
        last if eval { mapper($CHECKED, 4, 0); 1 };
        select undef, undef, undef, 0.5;
    }
}

sub device_number {
    # MAJOR:MINOR; the minor number is in the low byte and above the twelfth bit (new_encode_dev() of the kernel).
    my ($name) = @_;
    my $device = unpack 'x40 Q', mapper($name, 7, 0);
    return (($device >> 8) & 0xfff) . ':' . (($device & 0xff) | (($device >> 12) & 0xfff00));
}

sub is_damaged {
    # The status of a verity target is V, or C once a block was wrong.
    my $answer = mapper(checked(), 12, 0);
    my $start = unpack 'x16 L', $answer;
    return substr($answer, $start + 40, 1) eq 'C';
}

# --- the copy in memory

sub free_memory {
    seek MEMORY, 0, 0;
    while (<MEMORY>) { return $1 * 1024 if /^MemAvailable:\s+(\d+)/ }
    return 0;
}

sub copy_root {
    # In its own process: it waits where the head node is away, and somebody has to bring the connection back.
    setpriority 0, 0, 19;
    my $started = time;
    # Not while the system starts; the agent says when it has.
    sleep 1 until -e 'reported' or time > $started + $WAIT;
    if (free_memory() < $sheet{root_size} + $SPARE) {
        note('remote', 'too little memory for a copy of the root');
        return 1;
    }
    my $done = 0;
    while ($done < $sheet{root_size}) {
        my $data;
        sysread ROOT, $data, $PIECE or return 2;
        syswrite COPY, $data or return 3;
        $done += length $data;
        forget($done);
    }
    return 0;
}

sub forget {
    # What was copied need not stay in the page cache besides: fadvise64(2) with POSIX_FADV_DONTNEED.
    my ($count) = @_;
    my %number = (x86_64 => 221, aarch64 => 223);
    my $call = $number{ $sheet{machine} } or return;
    syscall $call, fileno ROOT, 0, $count, 4;
}

# --- the keeper

sub is_connected {
    # tcp_info starts with the state; 1 is ESTABLISHED.
    my $info = getsockopt $socket, 6, 11 or return 0;
    return unpack('C', $info) == 1;
}

sub reconnect {
    my $pause = 1;
    while (1) {
        return if eval {
            my $server = negotiated();
            my $old = $socket;
            $socket = $server;
            eval { hand_to_kernel(3); 1 } or do { $socket = $old; die $@ };
            1;
        };
        my $reason = $@;
        chomp $reason;
        note('remote', $reason);
        # Not all of a room at the same moment.
        select undef, undef, undef, $pause * (0.5 + rand);
        $pause *= 2 if $pause < 4;
    }
}

sub keep {
    my ($copier) = @_;
    $0 = '@provisioner-stream';
    note('remote', '');
    while (1) {
        select undef, undef, undef, 1;
        if (not is_connected()) {
            say_all('root: the head node is away; reading waits for it');
            reconnect();
            say_all('root: the head node is back');
            note('remote', '');
        }
        if ($copier and waitpid $copier, 1) {
            finish($?);
            $copier = 0;
        }
        watch();
    }
}

my $told_damage = 0;

sub watch {
    return if $told_damage or not is_damaged();
    $told_damage = 1;
    say_all('root: a block is not what the hash tree promises; it was not used');
    note('remote', 'a block of the root is not what the hash tree promises');
}

sub finish {
    my ($status) = @_;
    if ($status == 0 and eval { map_local(); 1 }) {
        disconnect();
        note('local', '');
        say_all('root: in memory; the head node is needed no more');
        exit 0;
    }
    say_all('root: not copied into memory: ' . ($@ || ($status >> 8 == 1 ? 'too little of it' : 'it cannot be read')));
}

sub open_places {
    open CONSOLE, '>', '/dev/console';
    open KMSG, '>', '/dev/kmsg';
    open MEMORY, '<', '/proc/meminfo' or die "no /proc/meminfo\n";
    open MAPPER, '+<', '/dev/mapper/control' or die "no device mapper: $!\n";
    for my $line (split /\n/, content('stream')) {
        my ($key, $value) = split /=/, $line, 2;
        $sheet{$key} = $value;
    }
}

sub start {
    open_places();
    open_netlink();
    my $deadline = time + $PATIENCE;
    until (eval { $socket = negotiated(); 1 }) {
        my $reason = $@;
        chomp $reason;
        die "$reason\n" if $reason =~ /^(refused|the head node offers)/ or time >= $deadline;
        select undef, undef, undef, 0.5 + rand 3;
    }
    hand_to_kernel(1);
    map_root();
    my $device = '/dev/dm-' . (split /:/, device_number($NAME))[1];
    open ROOT, '<', $device or die "$device: $!\n";
    print "$device\n";
    close STDOUT;
    fork and exit 0;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    my $copier = 0;
    if ($sheet{loop}) {
        open COPY, '+<', 'image/root' or exit 1;
        $copier = fork;
        exit copy_root() if defined $copier and $copier == 0;
    }
    close COPY if $copier;
    keep($copier);
}

my ($verb, @words) = @ARGV;
if ($verb eq 'damaged') {
    open_places();
    exit(is_damaged() ? 0 : 1);
}
($host, $port) = @words;
eval { start(); 1 } or do { print STDERR $@; exit 1 };
