import Platform
import Testing

@testable import Formats

@Suite struct GGUFTests {
    private func temporary(_ body: (String) throws -> Void) throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        try body(Path.join(directory, "t.gguf"))
    }

    static func fixture(_ name: String) -> String { Path.join(Path.directory(Path.directory(#filePath)), "Fixtures", "gguf", name) }

    @Test func filesOfTheReferenceImplementationAreRead() throws {
        let file = try GGUFFile(path: Self.fixture("q8_0.gguf"))
        #expect(file.version == 3)
        #expect(try file.text("general.architecture") == "llama" && file.integer("llama.block_count") == 1)
        #expect(try file.flag("tokenizer.ggml.add_bos_token") == true)
        #expect(try abs(file.number("llama.attention.layer_norm_rms_epsilon") ?? 0) - 1e-5 < 1e-12)
        var texts: [String] = []
        try file.forEachText("tokenizer.ggml.tokens") { _, text in texts.append(String(decoding: text, as: UTF8.self)) }
        #expect(texts.count == 288 && texts[1] == "<s>" && texts[259] == "▁")
        #expect(try file.numbers("tokenizer.ggml.token_type")?.prefix(4) == [2, 3, 3, 6])
        let table = try #require(file.tensor(named: "token_embd.weight"))
        #expect(table.type == .q8_0 && table.shape == [288, 32] && file.bytes(table).count == 288 * 34)
        #expect(file.tensor(named: "blk.0.attn_norm.weight")?.type == .float32 && file.tensor(named: "absent") == nil)
        #expect(throws: GGUFError.self) { try file.integer("general.architecture") }
    }

    private let metadata: [(String, GGUFEntry)] = [
        ("general.architecture", .text("llama")), ("a", .uint32(7)), ("b", .int32(-7)), ("c", .uint64(1 << 40)), ("d", .float32(0.5)),
        ("e", .bool(true)), ("f", .texts([Array("ä".utf8), []])), ("g", .float32s([1, 2])), ("h", .int32s([-1])), ("i", .uint32s([3])),
        ("j", .bools([true, false])),
    ]

    @Test func whatIsWrittenIsReadBack() throws {
        try temporary { path in
            let tensors = [
                GGUFDeclaration(name: "x", type: .float32, shape: [2, 3]), GGUFDeclaration(name: "y", type: .q8_0, shape: [2, 32]),
                GGUFDeclaration(name: "none", type: .float16, shape: [0, 4]),
            ]
            let writer = try GGUFWriter(path: path, metadata: metadata, tensors: tensors)
            try [UInt8](0..<68).withUnsafeBytes { try writer.write($0, to: "y") }
            try [UInt8](0..<8).withUnsafeBytes { try writer.write($0, to: "x") }
            #expect(!FileSystem.exists(path))
            #expect(throws: GGUFError.self) { try writer.finish() }
            try [UInt8](8..<24).withUnsafeBytes { try writer.write($0, to: "x") }
            #expect(throws: GGUFError.self) { try [UInt8(1)].withUnsafeBytes { try writer.write($0, to: "x") } }
            try writer.finish()
            #expect(try FileSystem.size(path) == Int64(writer.byteCount))
            let file = try GGUFFile(path: path)
            #expect(file.keys == metadata.map { $0.0 })
            #expect(try file.integer("a") == 7 && file.integer("b") == -7 && file.integer("c") == 1 << 40 && file.number("d") == 0.5)
            #expect(try file.flag("e") == true && file.numbers("g") == [1, 2] && file.numbers("h") == [-1] && file.numbers("j") == [1, 0])
            var texts: [[UInt8]] = []
            try file.forEachText("f") { _, text in texts.append(Array(text)) }
            #expect(texts == [Array("ä".utf8), []])
            #expect(Array(file.bytes(try #require(file.tensor(named: "x")))) == Array(0..<24))
            #expect(Array(file.bytes(try #require(file.tensor(named: "y")))) == Array(0..<68))
            #expect(file.tensors.allSatisfy { $0.byteRange.lowerBound % 32 == 0 })
            #expect(file.tensor(named: "none")?.shape == [0, 4])
        }
    }

    @Test func anUnfinishedFileLeavesNothing() throws {
        try temporary { path in
            do { _ = try GGUFWriter(path: path, metadata: [], tensors: [GGUFDeclaration(name: "a", type: .float32, shape: [4])]) }
            #expect(try FileSystem.list(Path.directory(path)) == [])
            let long = String(repeating: "n", count: 64)
            for wrong in [GGUFDeclaration(name: long, type: .float32, shape: [1]), GGUFDeclaration(name: "a", type: .q4_k, shape: [4, 128])] {
                #expect(throws: GGUFError.self) { try GGUFWriter(path: path, metadata: [], tensors: [wrong]) }
            }
        }
    }

    private func header(_ tensors: UInt64, _ values: UInt64, _ rest: [UInt8], version: UInt32 = 3) -> [UInt8] {
        Array("GGUF".utf8) + bytes(version) + bytes(tensors) + bytes(values) + rest
    }

    private func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    private func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }
    private func tensor(_ name: String, _ shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) -> [UInt8] {
        text(name) + bytes(UInt32(shape.count)) + shape.flatMap { bytes($0) } + bytes(type) + bytes(offset)
    }

    @Test func hostileHeadersAreRefusedWithAReason() throws {
        let data = [UInt8](repeating: 0, count: 64)
        let nested: [UInt8] = (0..<8).flatMap { _ in bytes(UInt32(9)) + bytes(UInt64(1)) } + bytes(UInt32(0)) + bytes(UInt64(0))
        let cases: [(String, [UInt8])] = [
            ("no GGUF file", Array("GGML".utf8) + data), ("version 1", header(0, 0, data, version: 1)), ("big-endian", header(0, 0, data, version: UInt32(3).byteSwapped)),
            ("ends early", Array("GGUF".utf8)), ("ends early", header(1 << 19, 0, data)), ("too much", header(.max, 0, data)),
            ("too much", header(0, 1 << 60, data)), ("ends early", header(0, 1, bytes(UInt64.max) + data)),
            ("its type is 99", header(0, 1, text("k") + bytes(UInt32(99)) + data)),
            ("ends early", header(0, 1, text("k") + bytes(UInt32(9)) + bytes(UInt32(4)) + bytes(UInt64(1 << 40)) + data)),
            ("too deeply", header(0, 1, text("k") + bytes(UInt32(9)) + nested)),
            ("twice", header(0, 2, text("k") + bytes(UInt32(0)) + [1] + text("k") + bytes(UInt32(0)) + [1] + data)),
            ("power of two", header(0, 1, text("general.alignment") + bytes(UInt32(4)) + bytes(UInt32(48)) + data)),
            ("axes", header(1, 0, tensor("t", [1, 1, 1, 1, 1]) + data)), ("impossible", header(1, 0, tensor("t", [1 << 60]) + data)),
            ("too large", header(1, 0, tensor("t", [1 << 40, 1 << 40]) + data)), ("too large", header(1, 0, tensor("t", [1 << 40, 1 << 40, 0]) + data)), ("not known", header(1, 0, tensor("t", [4], type: 77) + data)),
            ("whole number of blocks", header(1, 0, tensor("t", [33], type: 8) + data)), ("alignment", header(1, 0, tensor("t", [4], offset: 7) + data)),
            ("beyond the end", header(1, 0, tensor("t", [4], offset: 1 << 40) + data)), ("the file has", header(1, 0, tensor("t", [4096]) + data)),
            ("twice", header(2, 0, tensor("t", [2]) + tensor("t", [2], offset: 32) + data)),
            ("overlap", header(2, 0, tensor("t", [4]) + tensor("u", [4]) + data)),
        ]
        try temporary { path in
            for (reason, contents) in cases {
                try FileSystem.writeAtomically(path, bytes: contents)
                do throws(GGUFError) {
                    _ = try GGUFFile(path: path)
                    Issue.record("read what should be refused: \(reason)")
                } catch {
                    #expect(error.description.contains(reason), "\(error) should say \(reason)")
                }
            }
        }
    }

    @Test func damagedFilesAreReadOrRefused() throws {
        let original = try FileSystem.readBytes(Self.fixture("q8_0.gguf"))
        var fuzzer = Fuzzer(seed: 34)
        var readable = 0
        for round in 0..<Fuzzer.cases {
            // The header, and a little of what follows.
            let damaged = fuzzer.damaged(Array(original.prefix(round % 2 == 0 ? 900 : 9000)))
            damaged.withUnsafeBytes { contents in
                var header = GGUFHeader(path: "fuzz", bytes: contents)
                do throws(GGUFError) { try header.parse() } catch { return }
                readable += 1
                for tensor in header.tensors { #expect(tensor.byteRange.lowerBound >= 0 && tensor.byteRange.upperBound <= contents.count) }
            }
        }
        #expect(readable < Fuzzer.cases)
        try temporary { path in
            var whole = 0
            for _ in 0..<min(Fuzzer.cases / 100, 20_000) {
                try FileSystem.writeAtomically(path, bytes: fuzzer.damaged(original))
                guard let file = try? GGUFFile(path: path) else { continue }
                whole += 1
                for tensor in file.tensors { #expect(file.bytes(tensor).count == tensor.byteRange.count) }
                for key in file.keys {
                    _ = try? file.forEachText(key) { _, text in _ = text.count }
                    _ = try? file.numbers(key)
                }
            }
            #expect(whole > 0)
        }
    }
}
