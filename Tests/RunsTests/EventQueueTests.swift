import Events
import Testing

@testable import Runs

@Suite struct EventQueueTests {
    private func tick(_ step: Int) -> JobEvent { .step(StepMetrics(step: step, totalSteps: 100, isLogged: false)) }
    private func logged(_ step: Int) -> JobEvent { .step(StepMetrics(step: step, totalSteps: 100, loss: 1)) }

    @Test func ticksBetweenLoggedStepsAreMerged() {
        let queue = EventQueue()
        for step in 1...9 { queue.emit(tick(step)) }
        #expect(queue.drain() == [tick(9)])
        #expect(queue.drain().isEmpty)
    }

    @Test func aLoggedStepReplacesOlderTicks() {
        let queue = EventQueue()
        queue.emit(tick(1))
        queue.emit(logged(2))
        queue.emit(tick(3))
        #expect(queue.drain() == [logged(2), tick(3)])
    }

    @Test func aStuckReaderLosesNothingImportantAndTheQueueStaysShort() {
        let queue = EventQueue(capacity: 64)
        queue.emit(.state(.running))
        queue.emit(.checkpoint(CheckpointRecord(step: 1, path: "checkpoint-1", bytes: 1)))
        for step in 1...20_000 {
            queue.emit(logged(step))
            queue.emit(.log(LogRecord(time: 0, level: .info, text: "step \(step)")))
            queue.emit(.progress(ProgressRecord(phase: "train", completed: step, total: 20_000)))
        }
        queue.emit(.log(LogRecord(time: 0, level: .error, text: "lost")))
        queue.emit(.state(.failed))
        #expect(queue.count <= 65)
        let events = queue.drain()
        #expect(events.contains(.state(.running)))
        #expect(events.contains(.state(.failed)))
        #expect(events.contains { if case .checkpoint = $0 { true } else { false } })
        #expect(events.contains(.log(LogRecord(time: 0, level: .error, text: "lost"))))
        #expect(events.contains(logged(20_000)))
        let steps = events.compactMap { event in if case .step(let metrics) = event { metrics.step } else { nil } }
        #expect(steps == steps.sorted())
    }

    @Test func theReaderIsWokenOncePerBatch() {
        let count = Counter()
        let queue = EventQueue { count.add() }
        for step in 1...50 { queue.emit(logged(step)) }
        #expect(count.value == 1)
        _ = queue.drain()
        queue.emit(logged(51))
        #expect(count.value == 2)
    }
}
