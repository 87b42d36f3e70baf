import Formats
import Models
import Platform
import Tensors
import Testing

/// Codes, scales and numbers, bit for bit as bitsandbytes has them.
@Suite struct BitsandbytesNumbersTests {
    private static let file = Path.join(QuantisedTests.directory, "numbers.safetensors")

    private static func tensors() throws -> [String: Tensor] {
        // int8 is no type of the engine's; its bytes are read as they lie.
        let file = try SafetensorsFile(path: file)
        var found: [String: Tensor] = [:]
        for entry in file.tensors {
            let type = DType(entry.dtype) ?? .uint8
            let tensor = Tensor.zeros(entry.shape, type)
            let bytes = file.bytes(entry)
            if let from = bytes.baseAddress { tensor.address.copyMemory(from: from, byteCount: bytes.count) }
            found[entry.name] = tensor
        }
        return found
    }

    @Test(arguments: ["even", "ragged", "large"], ["nf4", "fp4"])
    func fourBitNumbersAreEqualToTheBit(_ name: String, _ kind: String) throws {
        let tensors = try Self.tensors()
        let weight = try #require(tensors[name + ".weight"]).converted(to: .float32)
        let table = try #require(QuantizationFormat.TableKind(rawValue: kind))
        let parts = WeightQuantizer(.table(table, doubleQuantized: false)).parts(weight, backend: backend)
        #expect(Array(parts.codes.bytes) == Array(try #require(tensors["\(name).\(kind).codes"]).bytes))
        #expect(parts.scales.floats() == tensors["\(name).\(kind).absmax"]?.floats())
        guard let numbers = tensors["\(name).\(kind).numbers"] else { return }
        #expect(parts.matrix.dequantized().floats() == numbers.floats())
    }

    @Test(arguments: ["even", "ragged", "large"])
    func scalesOfScalesAreTheNearestNumbersAroundTheMean(_ name: String) throws {
        let tensors = try Self.tensors()
        let weight = try #require(tensors[name + ".weight"]).converted(to: .float32)
        let parts = WeightQuantizer(.table(.nf4, doubleQuantized: true)).parts(weight, backend: backend)
        let offset = try #require(tensors[name + ".double.offset"]?.floats().first)
        // The mean is a sum in another order: the last bit may differ, and with it the largest distance from it.
        #expect(abs((parts.offset ?? 0) - offset) <= offset.ulp)
        let largest = try #require(tensors[name + ".double.absmax"]?.floats())
        for (found, expected) in zip(parts.scales.floats(), largest) { #expect(abs(found - expected) <= 4 * offset.ulp) }
        let codes = Array(try #require(parts.scaleCodes).bytes)
        #expect(codes == Array(try #require(tensors[name + ".double.codes"]).bytes))
        // The library's own CPU code looks numbers up in a table of 65,536 places: near a border it may be one code off.
        let library = Array(try #require(tensors[name + ".double.library_codes"]).bytes)
        #expect(zip(codes, library).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
        #expect(zip(codes, library).filter { $0 != $1 }.count <= 1 + codes.count / 100)
    }

    @Test(arguments: ["even", "ragged", "large"])
    func int8NumbersAreEqualToTheBit(_ name: String) throws {
        let tensors = try Self.tensors()
        let weight = try #require(tensors[name + ".weight"]).converted(to: .float32)
        let parts = WeightQuantizer(.int8).parts(weight, backend: backend)
        #expect(Array(parts.codes.bytes) == Array(try #require(tensors[name + ".int8.codes"]).bytes))
        guard let numbers = tensors[name + ".int8.numbers"] else { return }
        #expect(parts.matrix.dequantized().floats() == numbers.floats())
    }

    @Test func theDynamicNumbersAreBitsandbytesOwn() throws {
        #expect(WeightQuantizer.dynamicNumbers == (try Self.tensors())["dynamic"]?.floats())
    }
}
