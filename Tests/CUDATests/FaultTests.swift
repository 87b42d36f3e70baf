import FakeCUDA
import Glibc
import Platform
import Testing

@testable import Tensors

extension CardTests {
    /// What happens where a card, its driver or its libraries are not as they should be.
    @Suite(.enabled(if: !TestCard.isReal)) struct FaultTests {
        private func settings(_ change: (inout tb_fake_settings) -> Void = { _ in }) -> tb_fake_settings {
            var settings = tb_fake_settings()
            settings.device_count = 1
            change(&settings)
            return settings
        }

        private func failure(_ body: () throws -> Void) -> CUDAError? {
            do { try body() } catch let error as CUDAError { return error } catch { return nil }
            return nil
        }

        @Test("without a driver, compiler or cuBLASLt the error names the library and a cure")
        func missingLibraries() {
            tb_fake_start(settings())
            let found: [(CUDALibraries, String)] = [
                (CUDALibraries(), "libcuda"), (CUDALibraries(driver: tb_fake_driver(), products: tb_fake_products()), "libnvrtc"),
                (CUDALibraries(driver: tb_fake_driver(), compiler: tb_fake_compiler()), "libcublasLt"),
            ]
            for (libraries, name) in found {
                let text = failure { _ = try CUDABackend(libraries: libraries) }.map(\.description) ?? "no error"
                #expect(text.contains(name) && text.contains("device: cpu"), "\(text)")
            }
        }

        @Test("no card, no such card, and a card that is too old are told apart")
        func cards() {
            tb_fake_start(tb_fake_settings())
            let none = failure { _ = try CUDABackend(libraries: TestCard.libraries()) }.map(\.description) ?? "no error"
            #expect(none.contains("offers no GPU"))
            tb_fake_start(settings())
            let stranger = failure { _ = try CUDABackend(libraries: TestCard.libraries(), ordinal: 3) }
            #expect(stranger == .noSuchDevice(ordinal: 3, count: 1))
            tb_fake_start(settings { $0.architecture = 75 })
            let old = failure { _ = try CUDABackend(libraries: TestCard.libraries()) }
            #expect(old == .tooOld(device: "Fake card", architecture: 75, needed: 80))
        }

        @Test("a driver that refuses what the compiler made, and a compiler that refuses the text, are named")
        func modules() throws {
            for (change, expected) in [
                ({ (s: inout tb_fake_settings) in s.module_result = 209 }, "at least as new as the compiler"),
                ({ (s: inout tb_fake_settings) in s.compile_result = 6 }, "told to fail"),
            ] {
                let card = try TestCard.start(settings(change), activationType: .float32)
                card.fill(card.empty([10], .float32), with: 1)
                let text = failure { try card.throwIfFailed() }.map(\.description) ?? "no error"
                #expect(text.contains(expected), "\(text)")
            }
        }

        @Test("a full card says what is in it, computes nothing more, and goes on when memory is there again")
        func exhaustion() throws {
            let card = try TestCard.start(settings { $0.memory_bytes = 64 << 20 }, activationType: .float32)
            var kept: [Tensor] = [card.empty([6 << 20], .float32)]
            let small = card.empty([8], .float32)
            card.fill(small, with: 2)
            kept.append(card.empty([12 << 20], .float32))
            let launches = tb_fake_read_counts().launches
            card.fill(small, with: 3)
            #expect(tb_fake_read_counts().launches == launches, "work was sent to a card that had failed")
            let lost = card.upload([7, 8]), weight = Tensor([3, 4], shape: [2])
            _ = card.read(weight)
            guard case .outOfMemory(let requested, _, let total, let own, _, let uses)? = failure({ try card.throwIfFailed() }) else {
                Issue.record("a card of 64 MiB gave 72")
                return
            }
            #expect(requested == 48 << 20 && total == 64 << 20 && own >= 24 << 20 && uses.contains { $0.hasPrefix("activations") })
            #expect(small.floats() == [Float](repeating: 2, count: 8))
            kept.removeAll()
            let fresh = card.empty([6 << 20], .float32)
            card.fill(fresh, with: 1)
            try card.throwIfFailed()
            // What did not get there while the card had failed is sent again.
            #expect(card.read(lost) == 0 && card.read(card.upload([7, 8])) != 0)
            let copy = card.empty([2], .float32)
            card.convert(weight, into: copy)
            #expect(copy.floats() == [3, 4])
            #expect(fresh.slice(rows: 0..<1).reshaped([1]).floats() == [1])
        }

        @Test("a card lost in the middle of work stays lost, and the error says how to go on")
        func loss() throws {
            let card = try TestCard.start(
                settings {
                    $0.fail_launch = 3
                    $0.failure = 719
                }, activationType: .float32)
            let x = card.empty([100], .float32)
            for _ in 0..<5 { card.fill(x, with: 1) }
            for _ in 0..<2 {
                let text = failure { try card.throwIfFailed() }.map(\.description) ?? "no error"
                #expect(text.contains("resume_from_checkpoint") && text.contains("LAUNCH_FAILED"), "\(text)")
            }
            #expect(x.floats() == [Float](repeating: 0, count: 100))
        }

        @Test("compiled kernels are kept on disk and found again; another text or a damaged folder is compiled anew")
        func kernelCache() throws {
            let folder = try FileSystem.createTemporaryDirectory()
            defer { try? FileSystem.removeTree(folder) }
            func compilations() throws -> Int {
                tb_fake_start(settings())
                let card = try CUDABackend(libraries: TestCard.libraries(), activationType: .float32, kernelCache: folder)
                card.fill(card.empty([10], .float32), with: 1)
                try card.throwIfFailed()
                return card.compiledFileCount
            }
            #expect(try compilations() == 1)
            #expect(try compilations() == 0)
            for name in try FileSystem.list(folder) { try FileSystem.writeAtomically(Path.join(folder, name), text: "") }
            #expect(try compilations() == 1)
        }

        @Test("memory comes back in whole segments, is used again, and is all returned at the end")
        func pool() throws {
            do {
                let card = try TestCard.start(settings(), activationType: .float32)
                var random = RandomGenerator(seed: 5)
                var living: [Tensor] = []
                for _ in 0..<2000 {
                    if living.count > 20 { living.remove(at: random.index(below: living.count)) }
                    let tensor = card.empty([1 + random.index(below: 200_000)], .float32)
                    #expect(living.allSatisfy { abs(Int(card.read($0)) - Int(card.read(tensor))) >= 4 * min($0.count, tensor.count) || $0.count == 0 })
                    living.append(tensor)
                }
                let misses = card.memory.missCount
                living.removeAll()
                #expect(card.memory.liveBytes == 0 && misses < 10, "\(card.memory)")
                for _ in 0..<3 { _ = card.empty([4 << 20], .float32) }
                #expect(card.memory.missCount <= misses + 1)
                try card.throwIfFailed()
            }
            #expect(tb_fake_read_counts().live_bytes == 0, "\(tb_fake_read_counts())")
            #expect(TestCard.complaint == "")
        }

        @Test("threads that come and go, and cards side by side, all call the driver with their own context")
        func contexts() throws {
            let card = try TestCard.start(settings(), activationType: .float32)
            @Sendable func work(_ card: CUDABackend, _ value: Float) -> Bool {
                // More than what goes without the staging ring.
                let large = Tensor([Float](repeating: value, count: 20_000), shape: [20_000]), sum = card.empty([20_000], .float32)
                card.add(large, large, into: sum)
                return sum.floats() == [Float](repeating: 2 * value, count: 20_000)
            }
            #expect(work(card, 1))
            let results = Mutex<[Bool]>([])
            for number in 2..<8 {
                // The system gives the identifier of a thread that has ended to the next one.
                let thread = EngineThread(name: "work") { results.update { $0.append(work(card, Float(number))) } }
                thread.join()
                usleep(20_000)  // its stack is free then, and with it its identifier
            }
            #expect(results.withLock { $0 } == [Bool](repeating: true, count: 6))
            var other: CUDABackend? = try CUDABackend(libraries: TestCard.libraries(), activationType: .float32, kernelCache: nil)
            for number in 10..<13 {
                #expect(other.map { work($0, 1) } == true && work(card, Float(number)))
            }
            other = nil
            #expect(work(card, 13))
            try card.throwIfFailed()
            #expect(TestCard.complaint == "")
        }

        @Test("heads that no kernel is written for are an error that says so")
        func wideHeads() throws {
            let card = try TestCard.start(settings(), activationType: .float32)
            let shape = AttentionShape(headCount: 1, keyValueHeadCount: 1, headDimension: 320), x = card.empty([4, 320], .float32)
            card.fill(x, with: 1)
            card.attention(query: x, key: x, value: x, shape: shape, layout: SequenceLayout(lengths: [4]), into: card.empty([4, 320], .float32), logSumExp: nil)
            #expect(failure { try card.throwIfFailed() } == .unsupported("attention with 320 columns a head"))
        }

        @Test("bytes cross only when a side is out of date")
        func transfers() throws {
            let card = try TestCard.start(settings(), activationType: .float32)
            let weight = Tensor([1, 2, 3, 4], shape: [4]), result = card.empty([4], .float32), zeros = Tensor.zeros([1000])
            card.add(weight, weight, into: result)
            card.add(weight, weight, into: result)
            #expect(card.transfers.uploads == 1)
            #expect(result.floats() == [2, 4, 6, 8] && result.floats() == [2, 4, 6, 8])
            #expect(card.transfers.downloads == 1)
            weight.write([5, 6, 7, 8])
            card.accumulate(weight, factor: 1, into: result)
            #expect(card.transfers.uploads == 2 && result.floats() == [7, 10, 13, 16])
            card.accumulate(zeros, factor: 1, into: zeros)
            #expect(card.transfers.uploads == 2, "zeros were sent")
            // A slice that is written keeps the rest.
            let table = Tensor([1, 2, 3, 4], shape: [2, 2])
            card.fill(table.slice(rows: 1..<2), with: 9)
            #expect(table.floats() == [1, 2, 9, 9])
        }

        @Test("readings of the card")
        func monitor() {
            tb_fake_start(settings())
            let monitor = GPUMonitor(libraries: TestCard.libraries(), busIdentifier: "0000:01:00.0")
            let now = monitor?.reading()
            #expect(monitor?.name == "Fake card" && now?.utilisation == 0.73 && now?.temperature == 61 && now?.powerWatts == 512.3)
            #expect(now?.clock == 1755 && now?.maximumClock == 1980)
            let all = GPUMonitor.all(TestCard.libraries())
            #expect(all.map(\.name) == ["Fake card"] && all.first?.reading() == now)
            tb_fake_start(tb_fake_settings())
            #expect(GPUMonitor(libraries: TestCard.libraries()) == nil)
            #expect(GPUMonitor.all(TestCard.libraries()).isEmpty && GPUMonitor.all(CUDALibraries()).isEmpty)
        }
    }
}
