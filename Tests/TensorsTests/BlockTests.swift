import CKernels
import Glibc
import Testing

@testable import Tensors

/// GGUF blocks against gguf-py's and ggml's, from Tests/Fixtures/gguf/blocks.safetensors.
@Suite(.serialized) struct BlockTests {
    private static let fixture = BlockFixture()

    @Test(arguments: BlockType.all) func numbersOfBlocksAreTheReferencesToTheBit(_ type: BlockType) throws {
        let bytes = try #require(Self.fixture.bytes("bytes.\(type.name)"))
        let expected = try #require(Self.fixture.floats("values.\(type.name)"))
        let codes = Tensor.zeros([bytes.count], .uint8)
        bytes.withUnsafeBytes { if let from = $0.baseAddress { codes.address.copyMemory(from: from, byteCount: $0.count) } }
        let matrix = QuantizedMatrix.blocks(type, shape: [1, expected.count], codes: codes)
        defer { tb_limit_vector_level(9) }
        for level in [Int32(0), 1, 2, 9] {
            tb_limit_vector_level(level)
            #expect(matrix.dequantized().floats().map(\.bitPattern) == expected.map(\.bitPattern), "level \(level)")
        }
    }

    @Test(arguments: BlockType.all.filter(\.canQuantize)) func blocksAreTheReferencesOrNoWorse(_ type: BlockType) throws {
        let numbers = try #require(Self.fixture.floats("numbers"))
        let reference = try #require(Self.fixture.bytes("quantized.\(type.name)"))
        let backend = CPUBackend(threadCount: 2)
        let weight = Tensor(numbers, shape: [numbers.count / 512, 512])
        let made = backend.blocks(weight, as: type)
        if type.elementCount == 32 {
            #expect(Array(made.bytes) == reference)
            return
        }
        func error(_ bytes: [UInt8]) -> Double {
            let codes = Tensor.zeros([bytes.count], .uint8)
            bytes.withUnsafeBytes { if let from = $0.baseAddress { codes.address.copyMemory(from: from, byteCount: $0.count) } }
            let found = QuantizedMatrix.blocks(type, shape: weight.shape, codes: codes).dequantized().floats()
            return zip(found, numbers).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        }
        let ours = error(Array(made.bytes)), theirs = error(reference)
        #expect(ours <= theirs, "\(type.name): squared error \(ours), ggml's \(theirs)")
    }

    @Test func numbersThatAreNoneDoNotTrap() {
        let backend = CPUBackend(threadCount: 1)
        var values = [Float](repeating: 0.5, count: 512)
        for (index, value) in [Float.nan, .infinity, -.infinity, 1e38, -Float.leastNonzeroMagnitude].enumerated() { values[index * 37] = value }
        for type in BlockType.all where type.canQuantize {
            #expect(backend.blocks(Tensor(values, shape: [2, 256]), as: type).count == type.byteCount([2, 256]))
        }
    }
}

/// A safetensors file read with the least that these tests need: this target stands below Formats.
private struct BlockFixture: Sendable {
    private let contents: [UInt8]
    private let start: Int
    private let header: String

    init() {
        var path = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        path.removeLast(2)
        let file = path.joined(separator: "/") + "/Fixtures/gguf/blocks.safetensors"
        var bytes: [UInt8] = []
        if let stream = fopen(file, "rb") {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = fread(&buffer, 1, buffer.count, stream)
                if count == 0 { break }
                bytes += buffer[..<count]
            }
            fclose(stream)
        }
        contents = bytes
        let length = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        start = 8 + length
        header = String(decoding: bytes.dropFirst(8).prefix(length), as: UTF8.self)
    }

    /// `"name":{...,"data_offsets":[a,b]...}`
    func bytes(_ name: String) -> [UInt8]? {
        guard let own = header.rest(from: "\"\(name)\":{"), let offsets = own.rest(from: "\"data_offsets\":[") else { return nil }
        let numbers = offsets.prefix { $0 != "]" }.split(separator: "[").last?.split(separator: ",").compactMap { Int($0) } ?? []
        guard numbers.count == 2, start + numbers[1] <= contents.count else { return nil }
        return Array(contents[start + numbers[0]..<start + numbers[1]])
    }

    func floats(_ name: String) -> [Float]? {
        bytes(name).map { bytes in (0..<bytes.count / 4).map { index in bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * index, as: Float.self) } } }
    }
}

extension StringProtocol {
    /// From where a text is found on, itself included.
    fileprivate func rest(from text: String) -> SubSequence? {
        indices.first { self[$0...].hasPrefix(text) }.map { self[$0...] }
    }
}
