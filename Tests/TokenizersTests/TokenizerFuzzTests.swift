import Formats
import Platform
import Testing

@testable import Tokenizers

/// Damaged input must end in an error or a result, never in a trap.
@Suite struct TokenizerFuzzTests {
    private func mutated(_ source: [UInt8], _ random: inout RandomGenerator) -> [UInt8] {
        var bytes = source
        for _ in 0...random.index(below: 4) where !bytes.isEmpty {
            let place = random.index(below: bytes.count)
            switch random.index(below: 5) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: Array(["\"", "{", "]", "null", "-1", "99999999999", "{%", "}}", "(", "|"][random.index(below: 10)].utf8), at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + random.index(below: 40)))
            default:
                let end = min(bytes.count, place + random.index(below: 40))
                bytes.insert(contentsOf: bytes[place..<end], at: random.index(below: bytes.count))
            }
        }
        return bytes
    }

    @Test("Mutated templates render or fail")
    func survivesDamagedTemplates() throws {
        var random = RandomGenerator(seed: 6)
        let fixture = try Fixtures.json("templates/jinja.json")
        let contexts = (fixture["contexts"]?.arrayValue ?? []).map { $0.objectValue ?? [:] }
        let sources = (fixture["sources"]?.arrayValue ?? []).map { Array(($0.stringValue ?? "").utf8) }
        let limits = JinjaInterpreter.Limits(steps: 5_000, outputBytes: 1 << 20, work: 1 << 24)
        // `TUNEBOARD_FUZZ_ROUNDS=1000000 swift test -c release` asks for more.
        let rounds = Environment.value("TUNEBOARD_FUZZ_ROUNDS").flatMap { Int($0) } ?? 3000
        var slowest = 0.0
        for round in 0..<rounds {
            let source = String(decoding: mutated(sources[round % sources.count], &random), as: UTF8.self)
            let started = Clock.monotonicSeconds()
            _ = try? JinjaTemplate(source, limits: limits).render(context: contexts[random.index(below: contexts.count)])
            slowest = max(slowest, Clock.monotonicSeconds() - started)
        }
        #expect(slowest < 5)
    }

    @Test("Any text comes back from a byte-level tokenizer, streamed or at once, in composed form where it composes")
    func givesAnyTextBack() throws {
        var random = RandomGenerator(seed: 7)
        let plain = try Tokenizer(directory: Fixtures.path("gpt2"))
        let composing = try Tokenizer(directory: Fixtures.path("qwen2"))
        let ranges: [ClosedRange<UInt32>] = [0x20...0x7E, 0xA0...0x36F, 0x370...0x6FF, 0x900...0x11FF, 0x1E00...0x2FFF, 0x3000...0x30FF, 0xAC00...0xAFFF, 0xF900...0xFFFD, 0x1F300...0x1F9FF]
        for _ in 0..<1500 {
            var view = String.UnicodeScalarView()
            for _ in 0..<random.index(below: 24) {
                let range = ranges[random.index(below: ranges.count)]
                if let scalar = Unicode.Scalar(range.lowerBound + UInt32(random.index(below: range.count))) { view.append(scalar) }
            }
            let text = String(view)
            let ids = plain.encode(text)
            #expect(Array(plain.decode(ids, skipSpecialTokens: false).utf8) == Array(text.utf8))
            var stream = plain.streamingDecoder(skipSpecialTokens: false)
            let pieces = ids.map { stream.push($0) } + [stream.finish()]
            #expect(Array(pieces.joined().utf8) == Array(text.utf8))
            #expect(!pieces.joined().unicodeScalars.contains("\u{FFFD}") || text.unicodeScalars.contains("\u{FFFD}"))
            let whole = Normalizer.composed.apply(Array(text.utf8))
            #expect(Array(composing.decode(composing.encode(text), skipSpecialTokens: false).utf8) == whole)
            #expect(String(decoding: whole, as: UTF8.self) == text)
            #expect(Normalizer.composed.apply(Array(Normalizer.decomposed.apply(Array(text.utf8)))) == whole)
        }
    }
}
