import Formats
import Models
import Platform
import Tensors
import Testing

/// Thousands of damaged files: each loads or is refused with a typed error; nothing traps.
@Suite struct DamageTests {
    /// Values that have broken other readers.
    private static let strange: [JSONValue] = [
        nil, true, 0, 1, -1, 2, 3, 7, 2.5, 1e-300, 1e300, .integer(Int64.max), .integer(Int64.min), .number(.infinity), "", "many", [], [1],
        ["rope_type": "yarn", "factor": 1e300],
        ["rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 1, "beta_fast": 1e-300],
        ["rope_type": "llama3", "factor": 1e-300, "low_freq_factor": 1, "high_freq_factor": 2], ["type": "dynamic", "factor": 0.5],
        ["rope_type": "linear", "factor": -1], ["rope_theta": 1], ["rope_theta": 1e-30, "partial_rotary_factor": 0.01],
    ]

    @Test func damagedConfigurationsNeverTrap() throws {
        var random = RandomGenerator(seed: 17)
        let original = try ModelFolder(directory: Fixtures.llama).fields.object
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.llama, to: directory)
            var loaded = 0
            for _ in 0..<1500 {
                var object = original
                for _ in 0...random.index(below: 2) {
                    object.set(original.keys[random.index(below: original.count)], Self.strange[random.index(below: Self.strange.count)])
                }
                guard let folder = try? ModelFolder(configuration: object), folder.spec.layerCount < 100 else { continue }
                #expect(folder.spec.weights(names: folder.definition.names).allSatisfy { $0.count > 0 })
                try FileSystem.writeAtomically(Path.join(directory, "config.json"), text: JSONValue.object(object).text())
                guard let model = try? Transformer.load(directory: directory, backend: backend) else { continue }
                #expect(logits(model, PackedBatch(sequences: [[1, 2, 3]], labels: [[1, 2, 3]])).count == 3 * 48)
                loaded += 1
            }
            #expect(loaded > 100)
        }
    }

    @Test func damagedWeightsNeverTrap() throws {
        var random = RandomGenerator(seed: 18)
        let bytes = try FileSystem.readBytes(Path.join(Fixtures.qwen2, "model.safetensors"))
        let adapter = try FileSystem.readBytes(Path.join(Fixtures.adapter, AdapterFile.weightsName))
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.qwen2, to: directory)
            try FileSystem.copy(
                Path.join(Fixtures.adapter, AdapterFile.configurationName), Path.join(directory, AdapterFile.configurationName))
            for _ in 0..<300 {
                try FileSystem.writeAtomically(Path.join(directory, "model.safetensors"), bytes: damaged(bytes, &random))
                try FileSystem.writeAtomically(Path.join(directory, AdapterFile.weightsName), bytes: damaged(adapter, &random))
                guard let model = try? Transformer.load(directory: directory, backend: backend) else { continue }
                _ = try? AdapterFile.load(directory, into: model)
                #expect(logits(model, PackedBatch(sequences: [[1, 2, 3]], labels: [[1, 2, 3]])).count == 3 * 48)
            }
        }
    }

    /// Changes a few bytes, mostly of the header, or cuts the file.
    private func damaged(_ bytes: [UInt8], _ random: inout RandomGenerator) -> [UInt8] {
        var bytes = bytes
        if random.index(below: 4) == 0 { bytes.removeLast(random.index(below: bytes.count)) }
        guard !bytes.isEmpty else { return bytes }
        for _ in 0...random.index(below: 3) {
            let place = random.index(below: min(bytes.count, 2000))
            bytes[place] = random.index(below: 2) == 0 ? UInt8(random.index(below: 256)) : UInt8(48 + random.index(below: 10))
        }
        return bytes
    }
}
