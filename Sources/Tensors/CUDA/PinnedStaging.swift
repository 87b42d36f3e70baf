import CCUDA
import Glibc

/// Two page-locked buffers through which large uploads pass: while the card reads one, the host fills the other. Without them the
/// driver copies pageable memory piece by piece and waits for each.
final class PinnedStaging {
    private static let bufferBytes = 16 << 20
    /// Uploads smaller than this go the plain way.
    static let threshold = 1 << 20

    private let device: CUDADevice
    private var buffers: [(memory: UnsafeMutableRawPointer, event: UnsafeMutableRawPointer)] = []
    private var isUsed = [false, false]
    private var turn = 0

    init(device: CUDADevice) { self.device = device }

    deinit {
        device.bind()
        for buffer in buffers {
            _ = device.driver.cuMemFreeHost(buffer.memory)
            _ = device.driver.cuEventDestroy_v2(buffer.event)
        }
    }

    /// The bytes may be overwritten when this returns.
    func upload(_ host: UnsafeRawPointer, to address: UInt64, byteCount: Int) {
        guard byteCount >= Self.threshold, hasBuffers() else {
            device.copy(from: host, to: address, byteCount: byteCount)
            return
        }
        var place = 0
        while place < byteCount, !device.hasFailed {
            let count = min(Self.bufferBytes, byteCount - place), buffer = buffers[turn]
            if isUsed[turn] { device.check("cuEventSynchronize", device.driver.cuEventSynchronize(buffer.event)) }
            memcpy(buffer.memory, host + place, count)
            device.copy(from: UnsafeRawPointer(buffer.memory), to: address + UInt64(place), byteCount: count)
            device.check("cuEventRecord", device.driver.cuEventRecord(buffer.event, device.stream))
            isUsed[turn] = true
            turn = 1 - turn
            place += count
        }
    }

    /// Made at the first large upload. Where the system locks no pages, the plain way serves.
    private func hasBuffers() -> Bool {
        if buffers.count == 2 { return true }
        guard !device.hasFailed, buffers.isEmpty else { return false }
        device.bind()
        for _ in 0..<2 {
            var memory: UnsafeMutableRawPointer?, event: UnsafeMutableRawPointer?
            guard device.driver.cuMemAllocHost_v2(&memory, Self.bufferBytes) == 0, let memory else { break }
            guard device.driver.cuEventCreate(&event, 2 /* CU_EVENT_DISABLE_TIMING */) == 0, let event else {
                _ = device.driver.cuMemFreeHost(memory)
                break
            }
            buffers.append((memory, event))
        }
        return buffers.count == 2
    }
}
