import Glibc

// A file that grows beyond what the shell allows (ulimit -f) is an error like a full disk, not a death.
signal(SIGXFSZ, SIG_IGN)
exit(Program.run(CommandLine.arguments))
