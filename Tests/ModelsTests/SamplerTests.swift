import Formats
import Testing

@testable import Generation

/// The chain of processors against transformers'.
@Suite struct SamplerTests {
    @Test func everyChainGivesTransformersProbabilities() throws {
        let fixture = try Fixtures.json("samplers.json")
        let scores = Fixtures.numbers(fixture["scores"]).map { Float($0) }
        for expected in try #require(fixture["cases"]?.arrayValue) {
            let options = SamplingOptions(
                temperature: try #require(expected["temperature"]?.doubleValue), topK: try #require(expected["topK"]?.intValue),
                topP: try #require(expected["topP"]?.doubleValue), minP: try #require(expected["minP"]?.doubleValue),
                repetitionPenalty: try #require(expected["repetitionPenalty"]?.doubleValue), seed: 1)
            var logits = scores
            Sampler.penalise(&logits, history: Fixtures.tokens(fixture["history"]), penalty: Float(options.repetitionPenalty))
            let found = Sampler(options).distribution(logits).sorted { $0.token < $1.token }
            #expect(found.map(\.token) == Fixtures.tokens(expected["tokens"]), "\(options)")
            for (candidate, probability) in zip(found, Fixtures.numbers(expected["probabilities"])) {
                #expect(abs(Double(candidate.score) - probability) < 1e-5)
            }
        }
    }

    @Test func sampledFrequenciesFollowTheProbabilities() {
        let options = SamplingOptions(temperature: 1, topK: 0, topP: 1, seed: 7)
        var sampler = Sampler(options)
        var logits: [Float] = [1, 2, 3, -20]
        let probabilities = sampler.distribution(logits).map(\.score)
        var counts = [0, 0, 0, 0]
        for _ in 0..<20000 { counts[Int(sampler.next(&logits, history: []))] += 1 }
        for (count, probability) in zip(counts, probabilities) {
            #expect(abs(Float(count) / 20000 - probability) < 0.015)
        }
    }

    @Test func theHeapFindsTheSameThresholdAsSorting() {
        var values: [Float] = []
        var state: UInt32 = 1
        for _ in 0..<500 {
            state = state &* 1_664_525 &+ 1_013_904_223
            values.append(Float(state >> 20) / 100)
        }
        let sorted = values.sorted(by: >)
        for rank in [1, 2, 3, 50, 499] { #expect(Sampler.threshold(values, rank: rank) == sorted[rank - 1]) }
        #expect(Sampler.threshold(values, rank: 500) == -.infinity)
    }

    @Test func textThatMayBecomeAStopStringIsHeldBack() {
        var watcher = StopWatcher(["###", "stop"])
        #expect(watcher.push("Hello #") == "Hello ")
        #expect(watcher.push("#x st") == "##x ")
        #expect(watcher.push("ay ##") == "stay ")
        #expect(watcher.push("# more") == "")
        #expect(watcher.isStopped)
        #expect(watcher.push("more") == "")
        var open = StopWatcher(["###"])
        #expect(open.push("a##") == "a")
        #expect(open.finish() == "##")
    }
}
