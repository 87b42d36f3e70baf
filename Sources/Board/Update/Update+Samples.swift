import Events

extension BoardState {
    /// The answers in view, side by side: those of the runs that are browsed, else those of the evaluation at work or the last one.
    var shownSamples: [(name: String, samples: [PredictionSample])] {
        let browsed = evaluation.browsed.compactMap { directory in
            evaluation.loaded[directory].map { (name: RunName.short(directory), samples: $0) }
        }
        if !browsed.isEmpty { return browsed }
        guard let run = jobs[.evaluate], !run.samples.isEmpty else { return [] }
        return [(name: run.title, samples: run.samples)]
    }

    /// The places of the samples in the order in which they are walked through.
    var sampleOrder: [Int] {
        guard let first = shownSamples.first else { return [] }
        let places = Array(first.samples.indices)
        guard evaluation.isWorstFirst else { return places }
        return places.sorted { left, right in
            let (a, b) = (first.samples[left].scores["rouge-l"] ?? .infinity, first.samples[right].scores["rouge-l"] ?? .infinity)
            return a == b ? left < right : a < b
        }
    }

    func browseRefusal() -> String? { evaluationResults.isEmpty ? say("There are no results to look into yet.") : nil }

    /// Opens the answers of the marked results, or of the one under the cursor.
    mutating func browseResults() -> [Effect] {
        guard evaluationResults.indices.contains(evaluation.resultSelection) else { return [] }
        let own = evaluationResults[evaluation.resultSelection].directory
        evaluation.browsed = evaluation.marked.count == 2 ? evaluation.marked : [own]
        evaluation.sampleIndex = 0
        evaluation.sampleScroll = 0
        evaluation.isFollowing = false
        focus = .samples
        return evaluation.browsed.map { .loadPredictions(directory: $0) }
    }

    mutating func predictionsLoaded(_ directory: String, _ samples: [PredictionSample]) -> [Effect] {
        evaluation.loaded[directory] = samples
        if samples.isEmpty, evaluation.browsed.contains(directory) {
            evaluation.browsed.removeAll { $0 == directory }
            status = StatusMessage(.note, say("\(RunName.short(directory)) left no answers: evaluate it with generation on."))
        }
        return []
    }

    mutating func leaveSamples() -> [Effect] {
        evaluation.browsed = []
        evaluation.sampleIndex = 0
        focus = .results
        return []
    }

    func sampleRefusal() -> String? {
        shownSamples.isEmpty ? say("There are no samples yet: evaluate with generation on, or ⏎ on a result.") : nil
    }

    mutating func moveSample(by count: Int) -> [Effect] {
        let total = sampleOrder.count
        guard total > 0 else { return [] }
        evaluation.sampleIndex = min(max(0, evaluation.sampleIndex + count), total - 1)
        evaluation.isFollowing = evaluation.sampleIndex == total - 1
        evaluation.sampleScroll = 0
        return []
    }

    mutating func toggleWorstFirst() -> [Effect] {
        evaluation.isWorstFirst.toggle()
        evaluation.sampleIndex = 0
        evaluation.isFollowing = false
        status = StatusMessage(.note, evaluation.isWorstFirst ? say("The worst answers first, by ROUGE-L") : say("In the order of the data"))
        return []
    }
}
