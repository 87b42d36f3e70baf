/// How fast this machine's threads read memory together: the limit of decoding.

import CKernels
import Platform
import Tensors

enum ReadBandwidth {
    /// Gigabytes per second, the median of several rounds in which each thread reads 64 MiB of its own.
    static func measure(threads: Int) -> Double {
        let share = 64 << 20
        let memory = Tensor.zeros([threads * share], .uint8)
        let address = UInt(bitPattern: memory.address)
        let words = UnsafeMutableRawPointer(memory.address).assumingMemoryBound(to: UInt64.self)
        for index in stride(from: 0, to: threads * share / 8, by: 8) { words[index] = UInt64(index) }
        var rates: [Double] = []
        for _ in 0..<9 {
            let start = Clock.monotonicSeconds()
            let workers = (0..<threads).map { number in
                EngineThread(name: "read \(number)", stackSize: 1 << 17) {
                    guard let from = UnsafeRawPointer(bitPattern: address + UInt(number * share)) else { return }
                    // A call into C is made, whatever becomes of the sum.
                    for _ in 0..<4 { _ = tb_read_all(from, share) }
                }
            }
            for worker in workers { worker.join() }
            rates.append(4 * Double(threads * share) / (Clock.monotonicSeconds() - start) / 1e9)
        }
        withExtendedLifetime(memory) {}
        return Statistics.median(rates)
    }
}
