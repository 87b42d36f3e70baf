import Formats
import Platform
import Tensors
import Testing

@testable import Models

/// Metadata that say more, less or something else than the tensors beside them.
@Suite struct GGUFMetadataTests {
    private static let sizes: [(String, GGUFEntry)] = [
        ("general.architecture", .text("llama")), ("llama.embedding_length", .uint32(8)), ("llama.block_count", .uint32(1)),
        ("llama.attention.head_count", .uint32(2)), ("llama.context_length", .uint32(16)), ("llama.feed_forward_length", .uint32(8)),
    ]

    /// The model of a file with these keys and an embedding, and factors of frequencies where they are asked for.
    private func folder(
        _ entries: [(String, GGUFEntry)], tensors: [(name: String, type: GGUFTensorType, count: Int)] = []
    ) throws -> ModelFolder {
        try Fixtures.withTemporaryDirectory { parent in
            let path = Path.join(parent, "x.gguf")
            let kept = Self.sizes.filter { size in !entries.contains { $0.0 == size.0 } }
            let declared = [GGUFDeclaration(name: "token_embd.weight", type: .float32, shape: [4, 8])]
                + tensors.map { GGUFDeclaration(name: $0.name, type: $0.type, shape: [$0.count]) }
            let writer = try GGUFWriter(path: path, metadata: kept + entries, tensors: declared)
            for tensor in declared {
                let bytes = try #require(tensor.type.byteCount(tensor.shape))
                let numbers = [Float](repeating: 2, count: bytes / 4 + 1)
                try numbers.withUnsafeBytes { try writer.write(UnsafeRawBufferPointer(rebasing: $0[..<bytes]), to: tensor.name) }
            }
            try writer.finish()
            return try ModelFolder(directory: path)
        }
    }

    private typealias Entries = [(String, GGUFEntry)]
    private static let scalingCases: [(entries: Entries, expected: RotaryScaling)] = [
        ([], .none), ([("llama.rope.scaling.factor", .float32(4))], .linear(factor: 4)), ([("llama.rope.scale_linear", .float32(2))], .linear(factor: 2)),
        ([("llama.rope.scaling.factor", .float32(4)), ("llama.rope.scale_linear", .float32(2))], .linear(factor: 4)),
        ([("llama.rope.scaling.factor", .float32(0))], .none), ([("llama.rope.scaling.factor", .float32(1))], .none),
        ([("llama.rope.scaling.type", .text("none")), ("llama.rope.scaling.factor", .float32(4))], .none),
        ([("llama.rope.scaling.type", .text("linear"))], .none),
        (
            [("llama.rope.scaling.factor", .float32(4)), ("llama.rope.scaling.attn_factor", .float32(1.5))],
            .longrope(shortFactors: [4, 4], longFactors: [4, 4], attentionFactor: 1.5, originalPositions: 16)
        ),
        (
            [("llama.rope.scaling.type", .text("yarn")), ("llama.rope.scaling.factor", .float32(1))],
            .yarn(factor: 1, betaFast: 32, betaSlow: 1, attentionFactor: 1, originalPositions: 16, roundsRange: true)
        ),
    ]

    @Test("A scaling of positions is read as llama.cpp reads it", arguments: scalingCases.indices)
    func scalings(index: Int) throws {
        let (entries, expected) = Self.scalingCases[index]
        #expect(try folder(entries).spec.rotary.scaling == expected, "\(entries)")
    }

    @Test func factorsOfFrequenciesAreReadAndScaled() throws {
        let one = [("rope_freqs.weight", GGUFTensorType.float32, 2)]
        #expect(
            try folder([], tensors: one).spec.rotary.scaling
                == .longrope(shortFactors: [2, 2], longFactors: [2, 2], attentionFactor: 1, originalPositions: 16))
        #expect(
            try folder([("llama.rope.scaling.factor", .float32(3))], tensors: one).spec.rotary.scaling
                == .longrope(shortFactors: [6, 6], longFactors: [6, 6], attentionFactor: 1, originalPositions: 16))
    }

    @Test("Factors that are not one for each rotated pair are refused", arguments: [
        ("rope_freqs.weight", GGUFTensorType.float32, 1), ("rope_freqs.weight", .float32, 3), ("rope_freqs.weight", .float16, 2),
        ("rope_factors_long.weight", .float32, 4096),
    ])
    func factors(name: String, type: GGUFTensorType, count: Int) throws {
        let other = (name == "rope_freqs.weight" ? [] : [("rope_factors_short.weight", GGUFTensorType.float32, 2)])
        #expect { try folder([], tensors: [(name, type, count)] + other) } throws: {
            "\($0)".contains("\(name): expected 2 numbers as F32, one for each pair of rotated dimensions; found \(count) as \(type.name)")
        }
    }

    @Test func factorsOfAConfigurationAreCounted() throws {
        let object = try #require(try JSONValue.read(file: Path.join(Fixtures.llama, "config.json")).objectValue)
        for count in [1, 3, 1000] {
            var changed = object
            let list = JSONValue.array([JSONValue](repeating: 1, count: count))
            changed.remove("rope_parameters")
            changed.set("rope_scaling", ["rope_type": "longrope", "short_factor": list, "long_factor": list])
            #expect { try ModelFolder(configuration: changed) } throws: { "\($0)".contains("one factor for each of the") }
        }
    }

    private static let wrongNumbers: [(key: String, entry: GGUFEntry, reason: String)] = [
        ("llama.block_count", .uint32(4096), "fewer than the file's 1 tensors"),
        ("llama.attention.key_length", .uint64(1 << 40), "llama.attention.key_length: expected 0 to 131072"),
        ("llama.rope.dimension_count", .uint32(6), "an even number from 2 to the 4 of a head"),
        ("llama.rope.dimension_count", .uint32(3), "an even number from 2 to the 4 of a head"),
        ("llama.rope.scaling.type", .text("other"), "expected none, linear, yarn, longrope, found \"other\""),
        ("llama.rope.scaling.factor", .float32(-2), "llama.rope.scaling.factor: expected a number above 0"),
        ("llama.rope.scale_linear", .float32(-2), "llama.rope.scale_linear: expected a number above 0"),
    ]

    @Test("Numbers that no tensor bears out are refused", arguments: wrongNumbers.indices)
    func numbers(index: Int) throws {
        let (key, entry, reason) = Self.wrongNumbers[index]
        #expect { try folder([(key, entry)]) } throws: { "\($0)".contains(reason) }
    }

    /// A list of rows for each query and key of this model would take 4 GiB.
    @Test func theOrderOfRowsTakesNoMemory() throws {
        var object = try #require(try JSONValue.read(file: Path.join(Fixtures.llama, "config.json")).objectValue)
        for (key, value) in [("head_dim", 4096), ("num_attention_heads", 4096), ("num_key_value_heads", 4096), ("num_hidden_layers", 16)] {
            object.set(key, .integer(Int64(value)))
        }
        let folder = try ModelFolder(configuration: object)
        let before = SystemInfo.residentBytes()
        let layout = try GGUFLayout(folder: folder, fileType: .f16)
        #expect(SystemInfo.residentBytes() - before < 1 << 30)
        let query = try #require(layout.tensors.first { $0.role == .query }?.rows)
        #expect(query.count == 1 << 24 && (0..<4).map { query[$0 + 4096] } == [4096, 4096 + 2048, 4097, 4097 + 2048])
    }

    @Test func rowsOfFusedMatricesComeInTheirParts() throws {
        // Two key heads with two queries each, 4 wide, of which 2 rows are rotated.
        let groups = RowOrder([0..<8, 16..<24]).interleaved(headDimension: 4, rotated: 4)
        #expect((0..<groups.count).map { groups[$0] } == [0, 2, 1, 3, 4, 6, 5, 7, 16, 18, 17, 19, 20, 22, 21, 23])
        let partly = RowOrder([4..<12]).interleaved(headDimension: 8, rotated: 4) + RowOrder([0..<2])
        #expect((0..<partly.count).map { partly[$0] } == [4, 6, 5, 7, 8, 9, 10, 11, 0, 1])
    }
}
