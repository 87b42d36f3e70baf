import Formats
import Platform
import Testing

@testable import Models

/// Configurations with bytes changed at random: each becomes a model's plan or a typed error; nothing traps.
/// `TUNEBOARD_FUZZ_CASES=1000000 swift test -c release -Xswiftc -enable-testing --filter Fuzz` runs the long form.
@Suite struct ConfigurationFuzzTests {
    private static let cases = Environment.value("TUNEBOARD_FUZZ_CASES").flatMap { Int($0) } ?? 10_000

    /// Numbers and texts that stand where others were.
    private static let strange = [
        "0", "-1", "1", "3", "7", "1e308", "-1e-308", "9223372036854775807", "1099511627776", "131072", "16777216", "null", "true", "[]", "{}",
        "\"\"", "\"yarn\"", "\"longrope\"", "[1,2,3]", "0.5", "{\"rope_type\":\"dynamic\",\"factor\":1e300}", "[\"sliding_attention\"]",
    ]

    @Test func `what was found is quoted, a number that is none by its name and a long value by its beginning`() {
        let fields = ConfigurationFields([:], file: "config.json")
        #expect(fields.invalid("a", "a number", .number(.nan)).description == "config.json: \"a\" must be a number, found NaN.")
        #expect(fields.invalid("a", "a number", [1, 2]).description.hasSuffix("found [1,2]."))
        #expect(fields.invalid("a", "a number", .string(String(repeating: "x", count: 100_000))).description.utf8.count < 200)
    }

    @Test func damagedConfigurationsNeverTrap() throws {
        let originals = try FamilyTests.families.map { try FileSystem.readBytes(Path.join(FamilyTests.directory($0), "config.json")) }
        var random = RandomGenerator(seed: 41)
        var plans = 0
        for index in 0..<Self.cases {
            let bytes = Self.damaged(originals[index % originals.count], &random)
            guard let object = try? JSONValue.parse(String(decoding: bytes, as: UTF8.self), name: "fuzz").objectValue,
                let folder = try? ModelFolder(configuration: object)
            else { continue }
            plans += 1
            let spec = folder.spec
            for rotary in [spec.rotary, spec.slidingRotary].compactMap({ $0 }) where spec.positions == .rotary {
                let dimension = rotary.rotatedDimensions(of: spec.headDimension)
                for length in [1, 100, spec.maximumPositions] { _ = RotaryEmbedding.frequencies(rotary, dimension: dimension, length: length) }
            }
            #expect(spec.mixture.map { $0.expertsPerToken <= $0.expertCount } ?? true)
            _ = (0..<min(spec.layerCount, 4)).map { spec.attentionShape(layer: $0) }
            guard spec.layerCount * (spec.mixture?.expertCount ?? 1) < 200 else { continue }
            let summary = try ModelSummary(folder: folder)
            #expect(summary.parameterCount > 0 && summary.weightBytes > 0 && summary.adapterParameterCount(targets: ["all"], rank: 8) > 0)
        }
        #expect(plans > Self.cases / 10 && plans < Self.cases)
    }

    @Test func whatAFamilyHasByDefaultMustFitTheRest() throws {
        let file = Path.join(FamilyTests.directory("qwen3_moe"), "config.json")
        var object = try #require(try JSONValue.read(file: file).objectValue)
        object["num_experts_per_tok"] = nil
        #expect(throws: ModelError.missingKey(file: "config.json", key: "num_experts_per_tok")) { try ModelFolder(configuration: object) }
    }

    /// A value exchanged, a byte changed, or a piece cut out or doubled.
    private static func damaged(_ original: [UInt8], _ random: inout RandomGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0...random.index(below: 3) {
            guard bytes.count > 2 else { return bytes }
            let place = random.index(below: bytes.count)
            switch random.index(below: 8) {
            case 0: bytes[place] = UInt8(random.index(below: 256))
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.index(below: 8)))
            case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: random.index(below: bytes.count))
            case _:
                // From a colon to the end of its line.
                guard let colon = bytes[place...].firstIndex(of: UInt8(ascii: ":")) else { continue }
                let end = bytes[colon...].firstIndex { $0 == UInt8(ascii: ",") || $0 == 10 } ?? bytes.count
                bytes.replaceSubrange(colon + 1..<end, with: Array(strange[random.index(below: strange.count)].utf8))
            }
        }
        return bytes
    }
}
