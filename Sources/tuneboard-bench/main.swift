/// `tuneboard-bench CASE [--name value]...`: one JSON line per measurement on standard output.

import Glibc

exit(BenchCommand.run(Array(CommandLine.arguments.dropFirst())))
