# Opens a file in ways that no ordinary program has: by its handle, through io_uring. Read from standard input, so that
# nothing lies on the disk: perl - WAY PATH. It then waits until standard input ends.
use strict;
use warnings;
use POSIX ();

my ($way, $path) = @ARGV;
my %numbers = (x86_64 => [9, 0, 303, 304], aarch64 => [222, 63, 264, 265]);
my $machine = (POSIX::uname())[4];
my $known = $numbers{$machine} or die "the calls of $machine are not known\n";
my ($MMAP, $READ, $NAME_TO_HANDLE, $OPEN_BY_HANDLE) = @$known;
my ($URING_SETUP, $URING_ENTER, $AT_FDCWD) = (425, 426, -100);

sub checked {
    my ($result) = @_;
    die "$!\n" if $result == -1;
    return $result;
}

# The kernel reads a pipe into the place: perl itself writes into its own strings only.
sub put {
    my ($place, $bytes) = @_;
    pipe(my $from, my $to) or die "$!\n";
    syswrite($to, $bytes) == length($bytes) or die "$!\n";
    checked(syscall($READ, fileno($from), $place + 0, length($bytes)));
}

sub look {
    my ($place, $n) = @_;
    return unpack("P$n", pack("Q", $place));
}

if ($way eq "handle") {
    my $handle = pack("Ll", 128, 0) . ("\0" x 128);
    my $mount = pack("l", 0);
    my $name = "$path\0";
    checked(syscall($NAME_TO_HANDLE, $AT_FDCWD, $name, $handle, $mount, 0));
    (my $folder = $path) =~ s{/[^/]*/[^/]*$}{};
    my $at = POSIX::open($folder eq "" ? "/" : $folder, POSIX::O_RDONLY()) or die "$!\n";
    checked(syscall($OPEN_BY_HANDLE, $at + 0, $handle, 0));
} else {
    my $params = "\0" x 120;
    my $ring = checked(syscall($URING_SETUP, 4, $params));
    my ($n_submissions, $n_completions) = unpack("LL", $params);
    my @submission = unpack("L10", substr($params, 40, 40));
    my @completion = unpack("L10", substr($params, 80, 40));
    my $sizes = $submission[6] + $n_submissions * 4;
    my $other = $completion[5] + $n_completions * 16;
    $sizes = $other if $other > $sizes;
    my $rings = checked(syscall($MMAP, 0, $sizes, 3, 0x8001, $ring + 0, 0));
    my $entries = checked(syscall($MMAP, 0, $n_submissions * 64, 3, 0x8001, $ring + 0, 0x10000000));
    my $name = "$path\0";
    my $at = unpack("Q", pack("p", $name));
    # opcode OPENAT, flags, ioprio, fd, off, addr, len (mode), open_flags, user_data; the rest is empty
    put($entries, pack("CCSlQQLLQx24", 18, 0, 0, $AT_FDCWD, 0, $at, 0, 0, 7));
    put($rings + $submission[6], pack("L", 0));
    put($rings + $submission[1], pack("L", 1));
    checked(syscall($URING_ENTER, $ring + 0, 1, 1, 1, 0, 0));
    my $result = unpack("l", look($rings + $completion[5] + 8, 4));
    if ($result < 0) { $! = -$result; die "$!\n"; }
}
$| = 1;
print "done\n";
1 while <DATA>;
__END__
