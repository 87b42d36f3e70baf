// The tests of files, clocks, threads and random numbers.
