import Testing

@testable import Platform

@Suite struct NumberTests {
    @Test func numbersAreWrittenAsPythonWritesThem() {
        let expected: [(Double, String)] = [
            (5e-5, "5e-05"), (1e-4, "0.0001"), (1, "1.0"), (0.1, "0.1"), (1e16, "1e+16"), (123456789012345680, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"), (-0.0, "-0.0"), (1.5e300, "1.5e+300"), (Double.leastNonzeroMagnitude, "5e-324"), (0.30000000000000004, "0.30000000000000004"),
            (100, "100.0"), (-2.5, "-2.5"), (.nan, "nan"), (-.infinity, "-inf"), (12345.678, "12345.678"), (1e-5, "1e-05"), (9999999999999998, "9999999999999998.0"),
        ]
        for (value, text) in expected { #expect(NumberText.pythonFloat(value) == text) }
    }

    @Test func shortestTextReadsBackExactly() {
        var random = RandomGenerator(seed: 1)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: random.next())
            if value.isFinite { #expect(Double(NumberText.pythonFloat(value)) == value) }
        }
    }

    @Test func sizesCountsAndDurationsAreForPeople() {
        #expect(NumberText.fixed(3.14159, digits: 2) == "3.14")
        #expect(NumberText.fixed(-0.5, digits: 0) == "-0")
        #expect(NumberText.significant(0.00012345, digits: 3) == "0.000123")
        #expect(NumberText.scientific(5e-5, digits: 2) == "5.00e-05")
        #expect(NumberText.grouped(-1_234_567) == "-1,234,567")
        #expect(NumberText.grouped(Int.min).hasPrefix("-9,223"))
        #expect(NumberText.bytes(512) == "512 B")
        #expect(NumberText.bytes(10_522_669_875) == "9.8 GiB")
        #expect(NumberText.bytes(1024 * 1024 - 1) == "1.0 MiB")
        #expect(NumberText.count(999) == "999")
        #expect(NumberText.count(1_130_000) == "1.13 M")
        #expect(NumberText.count(999_999) == "1.00 M")
        #expect(NumberText.count(7_600_000_000) == "7.60 B")
        #expect(NumberText.duration(3725.9) == "1:02:05")
        #expect(NumberText.duration(90061) == "1 day, 1:01:01")
        #expect(NumberText.duration(.nan) == "-")
    }

    @Test func randomNumbersAreTheSameEverywhere() {
        // From the published reference implementation of SplitMix64 with seed 1234567.
        var mixer = SplitMix64(state: 1_234_567)
        #expect([mixer.next(), mixer.next(), mixer.next()] == [6457827717110365317, 3203168211198807973, 9817491932198370423])
        // The published xoshiro256++ from the state 1, 2, 3, 4.
        var generator = RandomGenerator(seed: 0)
        generator.state = [1, 2, 3, 4, 0, 0]
        #expect([generator.next(), generator.next(), generator.next()] == [41943041, 58720359, 3588806011781223])
    }

    @Test func aRestoredGeneratorGoesOnWhereItWas() {
        var first = RandomGenerator(seed: 5)
        _ = first.normal()
        var second = RandomGenerator(seed: 6)
        second.state = first.state
        #expect((0..<10).map { _ in first.normal() } == (0..<10).map { _ in second.normal() })
        #expect(first.permutation(50) == second.permutation(50))
        #expect(first == second)
    }

    @Test func drawsHaveTheRightMoments() {
        var random = RandomGenerator(seed: 9)
        let count = 100_000
        let normals = (0..<count).map { _ in random.normal() }
        let mean = normals.reduce(0, +) / Double(count)
        let variance = normals.reduce(0) { $0 + $1 * $1 } / Double(count)
        #expect(abs(mean) < 0.02 && abs(variance - 1) < 0.03)
        let uniform = (0..<count).reduce(0.0) { sum, _ in sum + random.uniform() } / Double(count)
        #expect(abs(uniform - 0.5) < 0.01)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[random.index(below: 7)] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
        #expect(Set(random.permutation(100)).count == 100)
    }

    @Test func hashesAreStable() {
        var hash = StableHash()
        hash.combine("tuneboard")
        hash.combine(7)
        var again = StableHash()
        again.combine("tuneboard")
        again.combine(7)
        #expect(hash.text == again.text)
        #expect(hash.text.utf8.count == 16)
        var split = StableHash()
        split.combine("tune")
        split.combine("board")
        split.combine(7)
        #expect(split.value != hash.value)
    }

    @Test func bytesThatAreNoTextAreFound() {
        #expect(UTF8Check.firstInvalid(Array("漢字 ü 😀 plain ascii text".utf8)) == nil)
        #expect(UTF8Check.firstInvalid([0x61, 0x62, 0xFF]) == 2)
        #expect(UTF8Check.firstInvalid([0x61, 0xE2, 0x82]) == 1)
        #expect(UTF8Check.firstInvalid([0xED, 0xA0, 0x80]) == 0)
        #expect(UTF8Check.firstInvalid([]) == nil)
    }

    /// Long texts go 32 bytes at a time where the processor can; the standard library is the judge.
    @Test func longTextsAreCheckedToTheByte() {
        var random = RandomGenerator(seed: 11)
        let letters = Array("aZ é漢😀\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}".unicodeScalars)
        let wrong: [[UInt8]] = [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0xBF], [0xE4, 0xBD], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xF8, 0x88, 0x80, 0x80, 0x80],
        ]
        for round in 0..<3000 {
            var view = String.UnicodeScalarView()
            for _ in 0..<random.index(below: 120) { view.append(random.index(below: 3) == 0 ? letters[random.index(below: letters.count)] : "x") }
            var bytes = Array(String(view).utf8)
            #expect(UTF8Check.firstInvalid(bytes) == nil)
            guard !bytes.isEmpty else { continue }
            if round % 2 == 0 {
                bytes.insert(contentsOf: wrong[random.index(below: wrong.count)], at: random.index(below: bytes.count))
            } else {
                bytes[random.index(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            let isText = { (part: ArraySlice<UInt8>) in String(validating: part, as: UTF8.self) != nil }
            guard let place = UTF8Check.firstInvalid(bytes) else {
                #expect(isText(bytes[...]))
                continue
            }
            #expect(isText(bytes[..<place]))
            #expect((1...4).allSatisfy { place + $0 > bytes.count || !isText(bytes[place..<place + $0]) })
        }
    }
}
