import FakeCUDA
import Platform
import Testing

@testable import Tensors

/// All tests of the card: there is one of it, so they follow each other.
@Suite(.serialized) enum CardTests {}

extension CardTests {
    /// Every operation of the protocol on the processor and on a card. Without a card the kernels' own text runs on the processor behind
    /// a fake driver; TUNEBOARD_TEST_GPU=1 takes the real one.
    @Suite struct OperationTests {
        @Test("f32: every operation is within 1e-3 of the processor's", arguments: OperationCase.all)
        func float32(_ operation: OperationCase) throws {
            let (expected, found) = try results(operation, .float32)
            for (index, (want, have)) in zip(expected, found).enumerated() {
                let scale = max(1e-3, want.reduce(Float(0)) { max($0, abs($1)) })
                let worst = zip(want, have).map { abs($0 - $1) }.max() ?? 0
                #expect(want.count == have.count && worst <= 1e-3 * scale, "result \(index) of \(operation.name) is off by \(worst) of \(scale)")
                #expect(have.allSatisfy { $0.isFinite }, "result \(index) of \(operation.name) has numbers that are none")
            }
        }

        @Test(
            "bf16: every operation has a cosine of 0.999 with the processor's and its length within 2 %",
            arguments: OperationCase.all.filter(\.isForActivations))
        func bfloat16(_ operation: OperationCase) throws {
            let (expected, found) = try results(operation, .bfloat16)
            for (index, (want, have)) in zip(expected, found).enumerated() {
                func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
                let own = dot(want, want).squareRoot(), theirs = dot(have, have).squareRoot()
                guard own > 0 else { continue }
                let cosine = dot(want, have) / max(1e-30, own * theirs)
                #expect(cosine >= 0.999, "result \(index) of \(operation.name): cosine \(cosine)")
                #expect(abs(theirs / own - 1) < 0.02, "result \(index) of \(operation.name): length \(theirs) for \(own)")
            }
        }

        /// The processor computes in f32 from the same numbers.
        private func results(_ operation: OperationCase, _ type: DType) throws -> (expected: [[Float]], found: [[Float]]) {
            let card = try TestCard.start(activationType: type)
            let expected = operation.run(CPUBackend(threadCount: 1), Inputs(operation.name, type, isWidened: true)).map { $0.floats() }
            let found = operation.run(card, Inputs(operation.name, type)).map { $0.floats() }
            try card.throwIfFailed()
            #expect(TestCard.complaint == "", "\(operation.name)")
            return (expected, found)
        }
    }
}

/// The card of the tests: the fake, or a real one where TUNEBOARD_TEST_GPU asks for it.
enum TestCard {
    static var isReal: Bool { Environment.isOn("TUNEBOARD_TEST_GPU") }
    static let real = CUDALibraries(search: LibrarySearch())
    static var complaint: String {
        if isReal { return "" }
        let missing = String(cString: tb_fake_missing_kernels())
        return String(cString: tb_fake_complaint()) + (missing.isEmpty ? "" : " missing: \(missing)")
    }

    static func libraries() -> CUDALibraries {
        isReal
            ? real
            : CUDALibraries(
                driver: tb_fake_driver(), compiler: tb_fake_compiler(), products: tb_fake_products(), management: tb_fake_management())
    }

    static func start(_ settings: tb_fake_settings? = nil, activationType: DType) throws -> CUDABackend {
        if !isReal {
            var settings = settings ?? tb_fake_settings()
            if settings.device_count == 0 { settings.device_count = 1 }
            tb_fake_start(settings)
        }
        return try CUDABackend(libraries: libraries(), activationType: activationType, kernelCache: isReal ? CUDABackend.kernelCacheDirectory : nil)
    }
}
