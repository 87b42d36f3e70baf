import Platform
import Testing

@testable import Formats

/// Headers and pickles with bytes changed at random: each is read or refused with a typed error; nothing traps and nothing outside
/// the bytes is touched. `TUNEBOARD_FUZZ_CASES=1000000 swift test -c release --filter Fuzz` runs the long form.
@Suite struct FuzzTests {
    @Test func damagedSafetensorsHeadersNeverTrap() throws {
        let file = try FileSystem.readBytes(Path.join(Path.directory(TorchTests.folder), "reference.safetensors"))
        let header = Array(file[8..<8 + Int(file[0]) + Int(file[1]) << 8])
        var fuzzer = Fuzzer(seed: 31)
        var readable = 0
        for _ in 0..<Fuzzer.cases {
            let bytes = fuzzer.damaged(header)
            let size = 8 + bytes.count + fuzzer.random.index(below: 200)
            bytes.withUnsafeBytes { contents in
                var parser = SafetensorsHeader(path: "fuzz", dataStart: 8 + bytes.count, fileSize: size)
                do throws(SafetensorsError) { try parser.parse(contents) } catch { return }
                readable += 1
                for tensor in parser.tensors { #expect(tensor.byteRange.lowerBound >= 8 + bytes.count && tensor.byteRange.upperBound <= size) }
            }
        }
        #expect(readable > 0 && readable < Fuzzer.cases)
    }

    @Test("damaged pickles and archives never trap", arguments: ["reference.bin", "nested.bin", "legacy.bin", "hostile.bin"])
    func damagedPickles(name: String) throws {
        let original = try FileSystem.readBytes(TorchTests.path(name))
        var fuzzer = Fuzzer(seed: 32)
        var readable = 0
        for _ in 0..<Fuzzer.cases / 4 {
            let bytes = fuzzer.damaged(original)
            bytes.withUnsafeBytes { contents in
                let range: Range<Int>
                if ZipArchive.isArchive(contents) {
                    guard let archive = try? ZipArchive(contents, path: "fuzz") else { return }
                    for entry in archive.entries { #expect(entry.range.lowerBound >= 0 && entry.range.upperBound <= bytes.count) }
                    guard let pickle = archive.entries.first(where: { $0.name.hasSuffix("data.pkl") }) else { return }
                    range = pickle.range
                } else {
                    range = 0..<bytes.count
                }
                var machine = TensorPickle(contents, range: range, path: "fuzz")
                for _ in 0..<5 {
                    guard let value = try? machine.read() else { return }
                    readable += machine.pairs(value) == nil ? 0 : 1
                }
            }
        }
        #expect(name == "hostile.bin" || readable > 0)
    }

    @Test func damagedFilesOfTorchAreReadOrRefused() throws {
        let original = try FileSystem.readBytes(TorchTests.path("reference.bin"))
        let directory = try FileSystem.createTemporaryDirectory(prefix: "tuneboard-fuzz-")
        defer { try? FileSystem.removeTree(directory) }
        let path = Path.join(directory, "pytorch_model.bin")
        var fuzzer = Fuzzer(seed: 33)
        for _ in 0..<min(Fuzzer.cases / 100, 20_000) {
            try FileSystem.writeAtomically(path, bytes: fuzzer.damaged(original))
            guard let file = try? TorchFile(path: path) else { continue }
            for tensor in file.tensors {
                #expect(tensor.entry.byteRange.lowerBound >= 0 && tensor.entry.byteRange.upperBound <= file.mapping.count)
                #expect(file.bytes(tensor.entry).count == tensor.entry.byteRange.count)
            }
        }
    }
}

/// Seeded damage.
struct Fuzzer {
    var random: RandomGenerator

    /// As many as CI has time for, or `TUNEBOARD_FUZZ_CASES`.
    static let cases = Environment.value("TUNEBOARD_FUZZ_CASES").flatMap { Int($0) } ?? 20_000

    init(seed: UInt64) { random = RandomGenerator(seed: seed) }

    private static let interesting: [[UInt8]] = [
        [0], [0xff], [0x7f], [0x80], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], Array("9223372036854775807".utf8),
        Array("-1".utf8), Array("1e308".utf8), Array("[[[[".utf8), Array("{\"a\":".utf8), Array("null".utf8), Array("\\ud800".utf8),
        Array("(".utf8), Array("t".utf8), Array("R".utf8), Array("cos\nsystem\n".utf8), [0x85], [0x8a, 0xff], Array("}".utf8), Array("]".utf8),
    ]

    /// One to four changes: a byte, a run cut out, doubled or moved, a number that has broken others, an early end.
    mutating func damaged(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0...random.index(below: 4) {
            guard !bytes.isEmpty else { return bytes }
            let place = random.index(below: bytes.count)
            let end = min(bytes.count, place + 1 + random.index(below: 24))
            switch random.index(below: 8) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: random.index(below: bytes.count))
            case 2:
                let piece = Self.interesting[random.index(below: Self.interesting.count)]
                bytes.replaceSubrange(place..<min(bytes.count, place + piece.count), with: piece)
            case 3: bytes.insert(contentsOf: Self.interesting[random.index(below: Self.interesting.count)], at: place)
            case 4 where random.index(below: 8) == 0: bytes.removeLast(bytes.count - place)
            case 5: bytes[place] ^= 1 << UInt8(random.index(below: 8))
            case _: bytes[place] = UInt8(random.index(below: 256))
            }
        }
        return bytes
    }
}
