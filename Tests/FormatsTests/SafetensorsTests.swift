import Platform
import Testing

@testable import Formats

@Suite struct SafetensorsTests {
    private func temporary(_ body: (String) throws -> Void) throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        try body(Path.join(directory, "t.safetensors"))
    }

    private func file(header: String, data: Int = 0, claimed: UInt64? = nil) -> [UInt8] {
        withUnsafeBytes(of: (claimed ?? UInt64(header.utf8.count)).littleEndian) { Array($0) } + Array(header.utf8)
            + [UInt8](repeating: 7, count: data)
    }

    @Test func filesOfTheReferenceImplementationAreRead() throws {
        let file = try SafetensorsFile(path: fixture("reference.safetensors"))
        #expect(file.metadata == ["format": "pt", "note": "ü"])
        #expect(file.tensors.count == 6)
        let weight = try file.entry(required: "layer.weight")
        #expect(weight.dtype == .float32)
        #expect(weight.shape == [2, 3])
        #expect((0..<6).map { file.bytes(weight).loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) } == [0, 1, 2, 3, 4, 5])
        #expect(try file.entry(required: "half").dtype == .bfloat16)
        #expect(try file.entry(required: "scalar").shape == [])
        #expect(try file.entry(required: "empty").elementCount == 0)
        #expect(try file.entry(required: "ids").dtype == .int64)
        #expect(throws: SafetensorsError.missingTensor(path: file.path, tensor: "x")) { try file.entry(required: "x") }
    }

    @Test func whatIsWrittenIsReadBack() throws {
        try temporary { path in
            let tensors = [
                TensorDeclaration(name: "b", dtype: .bfloat16, shape: [3]), TensorDeclaration(name: "a", dtype: .float32, shape: [2, 2]),
                TensorDeclaration(name: "none", dtype: .int64, shape: [0]),
            ]
            let writer = try SafetensorsWriter(path: path, tensors: tensors)
            #expect(writer.order.map(\.name) == ["none", "a", "b"])
            // In pieces and out of order.
            try [UInt8](0..<6).withUnsafeBytes { try writer.write($0, to: "b") }
            try [UInt8](100..<108).withUnsafeBytes { try writer.write($0, to: "a") }
            #expect(!FileSystem.exists(path))
            #expect(throws: SafetensorsError.self) { try writer.finish() }
            try [UInt8](108..<116).withUnsafeBytes { try writer.write($0, to: "a") }
            #expect(throws: SafetensorsError.self) { try [UInt8(1)].withUnsafeBytes { try writer.write($0, to: "a") } }
            try writer.finish()
            let file = try SafetensorsFile(path: path)
            #expect(Array(file.bytes(try file.entry(required: "a"))) == Array(100..<116))
            #expect(Array(file.bytes(try file.entry(required: "b"))) == Array(0..<6))
            #expect(file.tensors.allSatisfy { $0.byteRange.lowerBound % 8 == 0 || $0.dtype.byteCount < 8 })
            #expect(file.metadata == ["format": "pt"])
        }
    }

    @Test func anUnfinishedFileLeavesNothing() throws {
        try temporary { path in
            do { _ = try SafetensorsWriter(path: path, tensors: [TensorDeclaration(name: "a", dtype: .uint8, shape: [4])]) }
            #expect(try FileSystem.list(Path.directory(path)) == [])
            #expect(throws: SafetensorsError.self) {
                try SafetensorsWriter(path: "/nowhere/x.safetensors", tensors: [])
            }
        }
    }

    @Test(arguments: [
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, "overlap"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}}"#, "holds only 16 bytes"),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "needs 12 bytes"),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}}"#, "more elements"),
        (#"{"a":{"dtype":"F32","shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]}}"#, "more elements"),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}"#, "impossible"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "impossible"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#, "damaged"),
        (#"{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}"#, "its type is Q4"),
        (#"{"a":{"dtype":"F32","shape":[2]}}"#, "must all be given"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, "there twice"),
        (#"{"a":[1,2"#, "damaged"),
        (#"[]"#, "damaged"),
    ])
    func hostileHeadersAreRefused(header: String, words: String) throws {
        try temporary { path in
            try FileSystem.writeAtomically(path, bytes: file(header: header, data: 16))
            do {
                _ = try SafetensorsFile(path: path)
                Issue.record("accepted")
            } catch let error as SafetensorsError {
                #expect(error.description.contains(words), "\(error)")
                #expect(error.description.contains(path))
            }
        }
    }

    @Test func filesThatEndEarlyAreRefused() throws {
        try temporary { path in
            for bytes in [[], [1, 2], file(header: "{}", claimed: 1000), file(header: "{}", claimed: .max)] as [[UInt8]] {
                try FileSystem.writeAtomically(path, bytes: bytes)
                #expect(throws: SafetensorsError.self) { try SafetensorsFile(path: path) }
            }
            #expect(throws: SafetensorsError.cannotRead(.notFound(path: "/nowhere"))) { try SafetensorsFile(path: "/nowhere") }
        }
    }

    @Test func damagedFilesNeverTrap() throws {
        try temporary { path in
            let sound = try FileSystem.readBytes(fixture("reference.safetensors"))
            var random = RandomGenerator(seed: 5)
            for _ in 0..<300 {
                var bytes = sound
                for _ in 0...random.index(below: 4) { bytes[random.index(below: min(bytes.count, 400))] = UInt8(truncatingIfNeeded: random.next()) }
                if random.uniform() < 0.2 { bytes.removeLast(random.index(below: bytes.count)) }
                let output = try OutputFile(path: path)
                try output.write(bytes)
                output.close()
                guard let file = try? SafetensorsFile(path: path) else { continue }
                for tensor in file.tensors { _ = file.bytes(tensor).reduce(0) { $0 &+ Int($1) } }
            }
        }
    }
}

/// A file beside the tests.
func fixture(_ name: String) -> String {
    Path.join(Path.directory(Path.directory(#filePath)), "Fixtures", "formats", name)
}
