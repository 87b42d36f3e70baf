import Platform
import Testing

@testable import Formats

/// Files of torch.save, and files that only look like them.
@Suite struct TorchTests {
    static let folder = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures/formats/torch")

    static func path(_ name: String) -> String { Path.join(folder, name) }

    private func floats(_ file: TorchFile, _ name: String) throws -> [Float] {
        let tensor = try #require(file.tensors.first { $0.entry.name == name })
        let bytes = file.bytes(tensor.entry)
        return (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }

    @Test("tensors are found with their types, shapes and places", arguments: ["reference.bin", "nested.bin", "legacy.bin"])
    func tensorsAreFound(name: String) throws {
        let file = try TorchFile(path: Self.path(name))
        let shapes = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.entry.name, "\($0.entry.dtype.rawValue) \($0.entry.shape)") })
        #expect(
            shapes == [
                "plain": "F32 [3, 4]", "transposed": "F32 [4, 3]", "rows": "F32 [2, 4]", "column": "F32 [3]", "shared": "F32 [3, 4]",
                "parameter": "BF16 [2]", "half": "F16 [1]", "scalar": "F32 []", "empty": "F32 [0, 5]", "ids": "I64 [3]", "mask": "BOOL [2]",
            ])
        #expect(try floats(file, "plain") == (0..<12).map { Float($0) })
        #expect(try floats(file, "rows") == (4..<12).map { Float($0) })
        #expect(try floats(file, "scalar") == [4])
        #expect(try floats(file, "empty") == [])
        let strides = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.entry.name, $0.strides) })
        #expect(strides["transposed"] == [1, 4] && strides["column"] == [4] && strides["plain"] == .some(nil))
        #expect(try floats(file, "column") == (2..<12).map { Float($0) })
    }

    @Test("a pickle that wants to run something is refused by name and nothing is run", arguments: ["hostile.bin", "hostile-legacy.bin"])
    func hostilePicklesAreRefused(name: String) throws {
        let path = Self.path(name)
        #expect(throws: TorchError.forbiddenGlobal(path: path, name: "posix.system")) { try TorchFile(path: path) }
        #expect(!FileSystem.exists("/tmp/tuneboard-was-here"))
    }

    // MARK: Pickles

    private func read(_ bytes: [UInt8]) throws -> TensorPickle.Value {
        try bytes.withUnsafeBytes { contents in
            var machine = TensorPickle(contents, range: 0..<contents.count, path: "test")
            return try machine.read()
        }
    }

    private func expectRefusal(_ bytes: [UInt8], _ message: String, _ place: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: TorchError.self, sourceLocation: place) { try read(bytes) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")", sourceLocation: place)
    }

    @Test func programsThatAreNoTensorsAreRefused() throws {
        let text = { (text: String) in Array(text.utf8) }
        expectRefusal(text("cbuiltins\neval\n."), "builtins.eval")
        expectRefusal(text("c__builtin__\nexec\n."), "__builtin__.exec")
        expectRefusal([0x8c, 2] + text("os") + [0x8c, 6] + text("system") + [0x93] + text("."), "os.system")
        expectRefusal(text("ctorch\nload\n."), "torch.load")
        expectRefusal(text("i") + text("os\nsystem\n."), "instruction 105")
        expectRefusal(text("ctorch\nFloatStorage\n)R."), "a storage is called")
        expectRefusal(text("K"), "ends early")
        expectRefusal(text("X") + [255, 255, 255, 255] + text("."), "ends early")
        expectRefusal(text("."), "stack is empty")
        expectRefusal(text("(."), "stack is empty")
        expectRefusal(text("t."), "a mark is missing")
        expectRefusal(text("h") + [7] + text("."), "nothing was remembered as 7")
        expectRefusal(text("NNa."), "no list")
        expectRefusal(text("NNNs."), "without a dictionary")
        expectRefusal(text("K") + [1] + text("Q."), "no storage")
        expectRefusal(text("NNR."), "no global")
        expectRefusal(text("ctorch._utils\n_rebuild_tensor_v2\n)R."), "other parts")
        expectRefusal(text("c" + String(repeating: "a", count: 5000)), "does not end")
    }

    @Test func deepAndSelfContainingStructuresAreHarmless() throws {
        let deep = [UInt8](repeating: UInt8(ascii: ")"), count: 1) + [UInt8](repeating: 0x85, count: 2_000_000) + Array(".".utf8)
        _ = try read(deep)
        let lists = [UInt8](repeating: UInt8(ascii: "]"), count: 500_000) + [UInt8](repeating: UInt8(ascii: "a"), count: 499_999) + Array(".".utf8)
        _ = try read(lists)
        // A list that holds itself, and a doubling of references.
        _ = try read(Array("]q".utf8) + [0] + Array("h".utf8) + [0] + Array("a.".utf8))
        var bomb = Array("]q".utf8) + [0]
        for index in 0..<UInt8(200) {
            bomb += Array("(".utf8)
            for _ in 0..<50 { bomb += Array("h".utf8) + [index] }
            bomb += Array("tq".utf8) + [index + 1]
        }
        _ = try read(bomb + Array(".".utf8))
        for marks in [1000, 1_000_000] { expectRefusal([UInt8](repeating: UInt8(ascii: "("), count: marks), "ends early") }
    }

    @Test func aListThatManyDictionariesCopyIsRefused() throws {
        let text = { (text: String) in Array(text.utf8) }
        var bomb = text("ccollections\nOrderedDict\nq") + [0] + text("](")
        for _ in 0..<1000 { bomb += text("NN") + [0x86] }
        bomb += text("e") + [0x85] + text("q") + [1] + text("0")
        for _ in 0..<1000 { bomb += text("h") + [0] + text("h") + [1] + text("R0") }
        expectRefusal(bomb + text("N."), "again and again")
    }

    @Test func shapesWhoseProductIsNoNumberAreRefusedWhereOneSizeIsZero() throws {
        #expect(TensorShape.elementCount([1 << 62, 1 << 62, 0]) == nil && TensorShape.elementCount([0, 1 << 62, 1 << 62]) == nil)
        #expect(TensorShape.elementCount([0, 5]) == 0 && TensorShape.elementCount([3, 4]) == 12)
    }

    // MARK: Archives

    /// Changes bytes of the reference file; each change must be refused.
    @Test func archivesThatLieAreRefused() throws {
        let original = try FileSystem.readBytes(Self.path("reference.bin"))
        let end = try #require(original.lastRange(of: [0x50, 0x4b, 5, 6]))
        let directory = Int(original[end + 16]) | Int(original[end + 17]) << 8
        let wide = try #require(original.lastRange(of: [0x50, 0x4b, 6, 6]), "torch.save writes a zip64 record as well")
        try expectFailure(original, "compressed") { $0[directory + 10] = 8 }
        try expectFailure(original, "encrypted") { $0[directory + 8] |= 1 }
        try expectFailure(original, "claims") { $0[wide + 32] = 0xff }
        try expectFailure(original, "outside the file") { $0[wide + 52] = 0x7f }
        try expectFailure(original, "reaches past the data") { for place in [20, 24] { $0[directory + place + 2] = 0x7f } }
        try expectFailure(original, "lies outside the data") { $0[directory + 44] = 0x7f }
        try expectFailure(original, "its end is missing") { $0.removeLast(10) }
        try expectFailure(original, "room for other entries") { $0[wide + 32] -= 1 }
        // The second record names the first entry's place.
        let second = try #require(original.range(of: [0x50, 0x4b, 1, 2], from: directory + 4))
        try expectFailure(original, "overlap") { bytes in
            for index in 42..<46 { bytes[second + index] = bytes[directory + index] }
        }
        try expectFailure(Array("no zip at all".utf8), "not a file of torch.save") { _ in }
        try expectFailure([], "not a file of torch.save") { _ in }
        // The pickle's idea of a storage against the archive's: 12 elements become 11 and 13.
        for count in [UInt8(11), 13] {
            try expectFailure(original, "claims \(count) elements and has 12") { bytes in
                guard let place = bytes.range(of: Array("cpuq".utf8), from: 0), let number = bytes.range(of: [UInt8(ascii: "K"), 12], from: place)
                else { return }
                bytes[number + 1] = count
            }
        }
    }

    private func expectFailure(_ bytes: [UInt8], _ message: String, _ damage: (inout [UInt8]) -> Void) throws {
        var bytes = bytes
        damage(&bytes)
        let directory = try FileSystem.createTemporaryDirectory(prefix: "tuneboard-torch-")
        defer { try? FileSystem.removeTree(directory) }
        let path = Path.join(directory, "pytorch_model.bin")
        try FileSystem.writeAtomically(path, bytes: bytes)
        let error = #expect(throws: TorchError.self) { try TorchFile(path: path) }
        #expect(error?.description.contains(message) == true, "\(message): \(error?.description ?? "")")
        #expect(error?.description.hasPrefix(path) == true)
    }
}

extension [UInt8] {
    /// Where a run of bytes begins.
    func range(of bytes: [UInt8], from start: Int) -> Int? {
        guard count >= bytes.count else { return nil }
        return (start...count - bytes.count).first { place in self[place..<place + bytes.count].elementsEqual(bytes) }
    }

    func lastRange(of bytes: [UInt8]) -> Int? {
        guard count >= bytes.count else { return nil }
        return (0...count - bytes.count).last { place in self[place..<place + bytes.count].elementsEqual(bytes) }
    }
}
