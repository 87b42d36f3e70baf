import Glibc
import Testing

@testable import Platform

@Suite struct FileTests {
    private func temporary(_ body: (String) throws -> Void) throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        try body(directory)
    }

    @Test func pathsAreTakenApartAndJoined() {
        #expect(Path.join("a", "b", "", "c") == "a/b/c")
        #expect(Path.join("a/", "b") == "a/b")
        #expect(Path.join("a", "/b") == "/b")
        #expect(Path.join("", "b") == "b")
        #expect(Path.directory("a/b/c") == "a/b")
        #expect(Path.directory("c") == ".")
        #expect(Path.directory("/c") == "/")
        #expect(Path.directory("a/b/") == "a")
        #expect(Path.name("a/b/") == "b")
        #expect(Path.name("/") == "/")
        #expect(Path.extension("a/b.tar.gz") == "gz")
        #expect(Path.extension("a.b/c") == "")
        #expect(Path.extension(".profile") == "")
        #expect(Path.stem("x/model.safetensors") == "model")
        #expect(Path.absolute("/a/./b/../c//d") == "/a/c/d")
        #expect(Path.relative("/a/b/c", to: "/a") == "b/c")
        #expect(Path.relative("/ab/c", to: "/a") == "/ab/c")
        #expect(Path.expandingTilde("~/x").hasSuffix("/x") && !Path.expandingTilde("~/x").hasPrefix("~"))
    }

    @Test func filesAreReplacedInOneStep() throws {
        try temporary { directory in
            let path = Path.join(directory, "deep/er/file.txt")
            try FileSystem.createDirectory(Path.directory(path))
            try FileSystem.writeAtomically(path, text: "one")
            try FileSystem.writeAtomically(path, text: "two ü")
            #expect(try FileSystem.readText(path) == "two ü")
            #expect(try FileSystem.list(Path.directory(path)) == ["file.txt"])
            #expect(try FileSystem.size(path) == 6)
            try FileSystem.copy(path, Path.join(directory, "copy"))
            #expect(try FileSystem.readText(Path.join(directory, "copy")) == "two ü")
            #expect(FileSystem.treeSize(directory) == 12)
        }
    }

    @Test func `pipes and devices are refused at once, unless a descriptor of ours is named`() throws {
        try temporary { directory in
            let pipe = Path.join(directory, "pipe")
            #expect(mkfifo(pipe, 0o600) == 0)
            for (path, kind) in [(pipe, "a pipe"), ("/dev/zero", "a device"), (directory, "a directory")] {
                let wanted = PlatformError.notAFile(path: path, kind: kind)
                #expect(throws: wanted) { try FileSystem.readBytes(path) }
                #expect(throws: wanted) { try MappedFile(path: path) }
                #expect(throws: wanted) { try LineReader(path: path) }
            }
            var ends: [Int32] = [0, 0]
            #expect(Glibc.pipe(&ends) == 0)
            #expect(write(ends[1], "a: 1\nb", 6) == 6)
            close(ends[1])
            let text = try FileSystem.readText("/dev/fd/\(ends[0])")
            #expect(text == "a: 1\nb")
            close(ends[0])
        }
    }

    @Test func `files beyond the limit are refused before they fill the memory`() throws {
        try temporary { directory in
            let path = Path.join(directory, "sparse")
            try FileSystem.writeAtomically(path, text: "")
            #expect(truncate(path, 1 << 40) == 0)
            #expect(throws: PlatformError.tooLarge(path: path, bytes: 1 << 40, limit: Int64(FileSystem.largestWholeFile))) { try FileSystem.readBytes(path) }
            try FileSystem.writeAtomically(path, text: "12345")
            #expect(throws: PlatformError.tooLarge(path: path, bytes: 5, limit: 4)) { try FileSystem.readText(path, limit: 4) }
            #expect(try FileSystem.readText(path, limit: 5) == "12345")
        }
    }

    @Test func `long values are quoted by their beginnings, in whole characters`() {
        #expect("short".excerpt() == "short")
        #expect(String(repeating: "é", count: 200).excerpt(5) == "éé… (400 bytes)")
    }

    @Test func `numbers beyond reading are written with an exponent`() {
        #expect(NumberText.plain(2.10341, digits: 4) == "2.1034")
        #expect(NumberText.plain(-1e300, digits: 2) == "-1.00e+300")
        #expect(NumberText.plain(.nan, digits: 2) == "nan")
    }

    @Test func failuresNameTheFileAndTheReason() throws {
        try temporary { directory in
            #expect(throws: PlatformError.notFound(path: "/nowhere/x")) { try FileSystem.readBytes("/nowhere/x") }
            do {
                try FileSystem.writeAtomically("/proc/nope/x", text: "")
            } catch let error as PlatformError {
                #expect(error.description.contains("/proc/nope/x"))
                #expect(!error.description.contains(".part"))
            }
            let path = Path.join(directory, "bad")
            try FileSystem.writeAtomically(path, bytes: [0x61, 0xFF])
            #expect(throws: PlatformError.notText(path: path, offset: 1)) { try FileSystem.readText(path) }
            #expect(throws: PlatformError.self) { try MappedFile(path: directory) }
            #expect(throws: PlatformError.self) { try FileSystem.createDirectory(Path.join(path, "below a file")) }
            // A folder that is made on the way would make the path lead back.
            #expect(throws: PlatformError.self) { try FileSystem.createDirectory(Path.join(directory, "missing/..")) }
            #expect(throws: PlatformError.self) { try FileSystem.createDirectory(Path.join(directory, "missing/../new")) }
            #expect(try FileSystem.list(directory) == ["bad"])
            try FileSystem.remove(Path.join(directory, "missing"))
        }
    }

    @Test func linesAreReadWhateverTheirEndings() throws {
        try temporary { directory in
            let path = Path.join(directory, "lines")
            let long = String(repeating: "x", count: 700_000)
            try FileSystem.writeAtomically(path, text: "first\r\n\n\(long)\nlast")
            let reader = try LineReader(path: path)
            var lengths: [Int] = []
            var offsets: [Int64] = []
            while let line = try reader.next() {
                lengths.append(line.count)
                offsets.append(reader.lineOffset)
            }
            #expect(lengths == [5, 0, 700_000, 4])
            #expect(offsets == [0, 7, 8, 700_009])
            #expect(reader.lineNumber == 4)
            let later = try LineReader(path: path, offset: 700_009)
            #expect(try later.next() == Array("last".utf8))
            #expect(try later.next() == nil)
        }
    }

    @Test func mappingsShowTheFile() throws {
        try temporary { directory in
            let path = Path.join(directory, "map")
            try FileSystem.writeAtomically(path, bytes: [1, 2, 3])
            #expect(try MappedFile(path: path).withBytes { Array($0) } == [1, 2, 3])
            try FileSystem.writeAtomically(path, bytes: [])
            #expect(try MappedFile(path: path).count == 0)
            let log = try AppendFile(path: path)
            try log.write("a")
            try log.write("b\n")
            log.close()
            #expect(try FileSystem.readText(path) == "a\nb\n")
        }
    }

    @Test func aLargeFileIsMappedAheadAndStaysAsItIs() throws {
        try temporary { directory in
            let path = Path.join(directory, "large"), count = (17 << 20) + 5
            var bytes = [UInt8](repeating: 7, count: count)
            for place in stride(from: 0, to: count, by: 4099) { bytes[place] = UInt8(truncatingIfNeeded: place >> 8) }
            try FileSystem.writeAtomically(path, bytes: bytes)
            let file = try MappedFile(path: path)
            MappedFile.mapAhead([file])
            #expect(file.withBytes { Array($0) } == bytes)
        }
    }

    @Test func treesAreRemovedWithoutFollowingLinks() throws {
        try temporary { directory in
            let outside = Path.join(directory, "outside")
            let tree = Path.join(directory, "tree")
            try FileSystem.createDirectory(outside)
            try FileSystem.createDirectory(Path.join(tree, "a/b"))
            try FileSystem.writeAtomically(Path.join(outside, "kept"), text: "x")
            _ = try ProcessRunner.run(["ln", "-s", outside, Path.join(tree, "link")])
            try FileSystem.removeTree(tree)
            #expect(!FileSystem.exists(tree))
            #expect(FileSystem.exists(Path.join(outside, "kept")))
        }
    }
}
