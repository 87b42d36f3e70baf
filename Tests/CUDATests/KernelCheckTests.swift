import KernelEmulator
import Testing

/// The kernels' own text, run on the CPU by the emulator and compared with the CPU backend's functions and with plain sums. Each
/// comparison runs with three orders of the threads, whose results must be the same to the bit.
@Suite(.serialized) struct KernelCheckTests {
    static let names = (0..<kernel_check_count()).map { String(cString: kernel_check_name($0)) }

    @Test("A kernel computes what the CPU computes", arguments: names)
    func agrees(_ name: String) throws {
        let index = try #require(Self.names.firstIndex(of: name))
        let difference = kernel_check_run(Int32(index)).map { String(cString: $0) }
        #expect(difference == nil, "\(name)")
    }
}
