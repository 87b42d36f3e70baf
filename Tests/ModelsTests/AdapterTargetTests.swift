import Formats
import Testing

@testable import Models

/// Which modules an adapter_config.json means: what peft 0.18's `check_target_module_exists` says of the same paths.
@Suite struct AdapterTargetTests {
    private static let paths = [
        "model.layers.1.mlp.up_proj", "model.layers.0.mlp.up_proj", "model.layers.0.mlp.experts.1.up_proj",
        "model.layers.1.mlp.experts.0.up_proj", "model.layers.11.mlp.up_proj", "layers.1.mlp.up_proj",
    ]

    private static let cases: [(pattern: JSONValue, layers: [Int64], expected: [Bool])] = [
        (.null, [1], [true, false, true, false, false, false]),
        ("layers", [1], [true, false, false, true, false, false]),
        (["experts"], [1], [false, false, true, false, false, false]),
        (["experts", "layers"], [0, 11], [false, true, false, true, true, false]),
        (.null, [], [true, true, true, true, true, true]),
    ]

    @Test("The number of a layer is the last in a path, or the one after layers_pattern", arguments: cases.indices)
    func layers(index: Int) throws {
        let (pattern, layers, expected) = Self.cases[index]
        let object: JSONObject = [
            "target_modules": ["up_proj"], "layers_to_transform": .array(layers.map { .integer($0) }), "layers_pattern": pattern,
        ]
        let targets = try AdapterTargets(ConfigurationFields(object, file: "adapter_config.json"))
        #expect(Self.paths.map { targets.contains($0, isLinear: true, isHead: false) } == expected)
    }
}
