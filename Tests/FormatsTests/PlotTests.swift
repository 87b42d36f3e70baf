import Glibc
import Platform
import Testing

@testable import Formats

@Suite struct PlotTests {
    private func plot(count: Int) -> LossPlot {
        var random = RandomGenerator(seed: 1)
        let values = (0..<count).map { step in 3 * exp(-Double(step) / 60) + 0.5 + 0.15 * random.normal() }
        return LossPlot(
            title: "training loss of saves/demo <&>", series: [
                .init(name: "loss", steps: (0..<count).map { Double($0 * 10) }, values: values),
                .init(name: "eval_loss", steps: [300, 600, 900], values: [2.4, 1.9, .nan], isSmoothed: false),
            ])
    }

    @Test func smoothingIsThatOfLLaMAFactory() {
        // Made with its formula in Python for [4, 3, 2, 1].
        let weight = 1.8 * (1 / (1 + exp(-0.2)) - 0.5)
        #expect(Smoothing.weight(count: 4) == weight)
        var last = 4.0
        let expected = [4.0, 3, 2, 1].map { value -> Double in
            last = last * weight + (1 - weight) * value
            return last
        }
        #expect(Smoothing.smoothed([4, 3, 2, 1]) == expected)
        #expect(Smoothing.smoothed([]) == [])
        let gap = Smoothing.smoothed([2, .nan, 4], weight: 0.5)
        #expect(gap[0] == 2 && gap[1].isNaN && gap[2] == 3)
    }

    @Test func picturesAreWholeAndSmall() {
        let png = plot(count: 100).png()
        #expect(Array(png.prefix(8)) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(png.count < 60_000, "\(png.count) bytes")
        let svg = plot(count: 100).svg()
        #expect(svg.hasPrefix("<svg "))
        #expect(svg.contains("saves/demo &lt;&amp;&gt;"))
        #expect(svg.contains("loss (smoothed)"))
        #expect(!svg.contains("nan"))
    }

    @Test func oddSeriesDoNoHarm() {
        for series: LossPlot.Series in [
            .init(name: "empty", steps: [], values: []), .init(name: "one", steps: [5], values: [2]),
            .init(name: "flat", steps: [1, 2, 3], values: [1, 1, 1]), .init(name: "gaps", steps: [1, 2, 3], values: [.nan, .infinity, 1]),
            .init(name: "huge", steps: [1, 2], values: [1e300, -1e300]), .init(name: "tiny", steps: [1, 2], values: [1e-300, 2e-300]),
        ] {
            let plot = LossPlot(title: "t", series: [series])
            #expect(plot.png().count > 100)
            #expect(plot.svg().hasSuffix("</svg>\n"))
        }
    }

    @Test func manyPointsAreThinnedWithoutLosingSpikes() {
        var values = [Double](repeating: 1, count: 200_000)
        values[123_456] = 9
        let plot = LossPlot(title: "t", series: [.init(name: "loss", steps: values.indices.map(Double.init), values: values, isSmoothed: false)])
        let svg = plot.svg()
        #expect(svg.utf8.count < 60_000)
        #expect(plot.png().count < 60_000)
    }

    @Test func axesCarryRoundNumbers() {
        let axis = PlotAxis(low: 0, high: 1000, from: 0, to: 100, tickCount: 8)
        #expect(axis.ticks.map(\.text) == ["0", "200", "400", "600", "800", "1000"])
        #expect(PlotAxis(low: 0.5, high: 2.9, from: 0, to: 100, tickCount: 6).ticks.map(\.text) == ["0.5", "1.0", "1.5", "2.0", "2.5"])
    }

    @Test func compressedBytesHaveTheRightChecksums() {
        #expect(Zlib.adler32(Array("Wikipedia".utf8)) == 0x11E6_0398)
        #expect(PNG.crc32(Array("123456789".utf8)) == 0xCBF4_3926)
    }

    /// A plain inflater for the fixed code checks what the compressor wrote.
    @Test func compressedBytesAreTheSameWhenInflated() throws {
        var random = RandomGenerator(seed: 2)
        var inputs: [[UInt8]] = [[], [1], Array(repeating: 0, count: 100_000), Array("abcabcabcabcabcd".utf8)]
        inputs.append((0..<5000).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        inputs.append((0..<70_000).map { UInt8(truncatingIfNeeded: $0 / 7 % 251 + random.index(below: 2)) })
        for input in inputs { #expect(FixedInflater.inflate(Zlib.compressed(input)) == input) }
        #expect(Zlib.compressed(inputs[2]).count < 1000)
    }
}

/// Inflates one block of fixed Huffman code; written from RFC 1951, apart from the compressor's tables.
private struct FixedInflater {
    private var bytes: ArraySlice<UInt8>
    private var bit = 0

    static func inflate(_ bytes: [UInt8]) -> [UInt8] {
        var inflater = FixedInflater(bytes: bytes.dropFirst(2))
        _ = inflater.take(3)
        var output: [UInt8] = []
        while true {
            let symbol = inflater.symbol()
            if symbol < 256 { output.append(UInt8(symbol)) } else if symbol == 256 { return output } else {
                let code = symbol - 257
                var length = code < 8 ? code + 3 : 0
                if code >= 8, code < 28 {
                    let extra = code / 4 - 1
                    length = ((4 + code % 4) << extra) + 3 + inflater.take(extra)
                } else if code == 28 { length = 258 }
                var distanceCode = 0
                for _ in 0..<5 { distanceCode = distanceCode << 1 | inflater.take(1) }
                var distance = distanceCode + 1
                if distanceCode >= 4 {
                    let extra = distanceCode / 2 - 1
                    distance = ((2 + distanceCode % 2) << extra) + 1 + inflater.take(extra)
                }
                for _ in 0..<length { output.append(output[output.count - distance]) }
            }
        }
    }

    private mutating func take(_ count: Int) -> Int {
        var value = 0
        for place in 0..<count {
            let byte = bytes[bytes.startIndex + bit / 8]
            value |= Int(byte >> UInt8(bit % 8) & 1) << place
            bit += 1
        }
        return value
    }

    private mutating func symbol() -> Int {
        var code = 0
        for _ in 0..<7 { code = code << 1 | take(1) }
        if code <= 0b0010111 { return 256 + code }
        code = code << 1 | take(1)
        if code >= 0x30, code <= 0xBF { return code - 0x30 }
        if code >= 0xC0, code <= 0xC7 { return 280 + code - 0xC0 }
        return 144 + (code << 1 | take(1)) - 0x190
    }
}
