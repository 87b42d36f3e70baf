import Platform
import Testing

@testable import Tensors

@Suite struct MemoryTests {
    @Test("steps after the second take no new memory")
    func steadyStepsAllocateNothing() {
        let backend = CPUBackend(threadCount: 2)
        let model = TinyModel(seed: 1)
        let tokens = model.randomTokens(120, seed: 1)
        func step() {
            model.step(backend, tokens, [70, 50])
            for parameter in model.trained { parameter.gradient = nil }
        }
        step()
        step()
        let misses = backend.memory.missCount
        for _ in 0..<5 { step() }
        #expect(backend.memory.missCount == misses)
        #expect(backend.memory.liveBytes == 0)
    }

    @Test("the planner's peak is the real one, but for what rounding adds")
    func plannedPeak() {
        let model = TinyModel(seed: 1)
        let tokens = model.randomTokens(200, seed: 1)
        for isCheckpointing in [false, true] {
            let backend = CPUBackend(threadCount: 2), planner = PlanningBackend()
            model.step(backend, tokens, [120, 80], isCheckpointing: isCheckpointing)
            for parameter in model.trained { parameter.gradient = nil }
            model.step(planner, tokens, [120, 80], isCheckpointing: isCheckpointing)
            for parameter in model.trained { parameter.gradient = nil }
            let planned = Double(planner.memory.peakBytes), real = Double(backend.memory.peakBytes)
            #expect(planned <= real && real < 1.25 * planned, "planned \(planned), real \(real)")
            #expect(planner.memory.liveBytes == 0)
        }
    }

    @Test("recomputation lowers the peak")
    func checkpointsSaveMemory() {
        let model = TinyModel(seed: 1)
        let tokens = model.randomTokens(2000, seed: 1)
        var peaks: [Int] = []
        for isCheckpointing in [false, true] {
            let planner = PlanningBackend()
            model.step(planner, tokens, [1000, 1000], isCheckpointing: isCheckpointing)
            peaks.append(planner.memory.peakBytes)
        }
        #expect(peaks[1] < peaks[0])
    }

    @Test("size classes waste at most an eighth", arguments: [1, 64, 65, 4096, 5000, 1 << 20, (1 << 20) + 1, 98_304_001])
    func sizeClasses(byteCount: Int) {
        let block = MemoryPool.blockBytes(byteCount)
        #expect(block >= byteCount && (byteCount < 512 || block <= byteCount + byteCount / 8 + 64))
    }

    @Test("a value's memory goes back when nobody needs it")
    func valuesDie() {
        let backend = CPUBackend(threadCount: 1)
        let tape = Tape(backend: backend, isRecording: false)
        var x = tape.constant(Tensor([Float](repeating: 1, count: 1024), shape: [1, 1024]))
        for _ in 0..<100 { x = tape.scaled(x, by: 1.01) }
        #expect(backend.memory.peakBytes <= 3 * 4096)
    }
}
