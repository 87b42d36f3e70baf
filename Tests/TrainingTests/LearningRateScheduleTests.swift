import Formats
import Testing

@testable import Training

@Suite("Learning rate schedules")
struct LearningRateScheduleTests {
    @Test("Every schedule gives transformers' rate at every step")
    func equalsTransformers() throws {
        let cases = try Fixtures.json(Fixtures.training + "/schedules.json").arrayValue ?? []
        #expect(cases.count == 20)
        for example in cases {
            let name = example["name"]?.stringValue ?? ""
            let keywords = example["keywords"]?.objectValue ?? JSONObject()
            let schedule = try LearningRateSchedule(
                name: name, keywords: keywords, baseRate: example["rate"]?.doubleValue ?? 0,
                warmupSteps: example["warmup"]?.intValue ?? 0, totalSteps: example["total"]?.intValue ?? 0)
            for (step, expected) in (example["rates"]?.doubles ?? []).enumerated() {
                let rate = schedule.rate(afterSteps: step)
                #expect(abs(rate - expected) <= 1e-14 + 1e-12 * abs(expected), "\(name) \(keywords.text()) after \(step) steps")
            }
        }
    }

    @Test("A wrong name lists the right ones")
    func unknownName() {
        let error = #expect(throws: TrainingError.self) {
            try LearningRateSchedule(name: "cosin", baseRate: 1, warmupSteps: 0, totalSteps: 10)
        }
        #expect("\(error as Any)".contains("cosine_with_restarts"))
    }

    @Test("A wrong option names itself and those that exist")
    func unknownKeyword() {
        #expect(throws: TrainingError.unknownScheduleKeyword(schedule: "cosine", keyword: "num_cycle", known: ["num_cycles"])) {
            try LearningRateSchedule(name: "cosine", keywords: ["num_cycle": 1], baseRate: 1, warmupSteps: 0, totalSteps: 10)
        }
        #expect(throws: TrainingError.missingScheduleKeyword(schedule: "cosine_with_min_lr", keyword: "min_lr_rate")) {
            try LearningRateSchedule(name: "cosine_with_min_lr", baseRate: 1, warmupSteps: 0, totalSteps: 10)
        }
    }

    @Test("Warm-up and intervals may be parts of the run")
    func parts() {
        #expect(StepPlan.warmupSteps(steps: 0, ratio: 0.1, totalSteps: 25) == 3)
        #expect(StepPlan.warmupSteps(steps: 7, ratio: 0.1, totalSteps: 25) == 7)
        #expect(StepPlan.warmupSteps(steps: 0.5, ratio: nil, totalSteps: 25) == 13)
        #expect(StepPlan.interval(0.1, totalSteps: 25) == 3)
        #expect(StepPlan.interval(10, totalSteps: 25) == 10)
    }

    @Test("Steps follow from batches, accumulation and fractional epochs")
    func stepPlan() {
        let plan = StepPlan(batchesPerEpoch: 9, accumulation: 2, epochs: 1.5, maximumSteps: -1)
        #expect(plan.stepsPerEpoch == 5)
        #expect(plan.totalSteps == 8)
        #expect(plan.epochCount == 2)
        #expect(plan.batchRange(stepInEpoch: 4) == 8..<9)
        #expect(plan.epoch(afterSteps: 1) == 2.0 / 9)
        #expect(plan.epoch(afterSteps: 5) == 1)
        #expect(plan.epoch(afterSteps: 6) == 1 + 2.0 / 9)
        let capped = StepPlan(batchesPerEpoch: 9, accumulation: 2, epochs: 3, maximumSteps: 12)
        #expect(capped.totalSteps == 12)
        #expect(capped.epochCount == 3)
    }
}
