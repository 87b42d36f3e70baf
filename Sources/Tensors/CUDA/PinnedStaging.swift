import CCUDA
import Glibc

/// A ring of page-locked memory through which uploads pass: the host fills a piece, the card reads it when its turn comes, and the
/// host waits only where the ring is full. Without it the driver copies pageable memory piece by piece, and for more than 64 KiB it
/// first waits for everything that was sent before.
///
///     [ ..free.. | piece 4 | piece 5 | piece 6 | ..free.. ]      oldest first; an event tells when a piece has been read
final class PinnedStaging {
    private static let ringBytes = 32 << 20
    private static let pieceBytes = 8 << 20
    /// Uploads smaller than this go the plain way: the driver takes them along with the call.
    static let threshold = 32 << 10

    private struct Piece {
        let range: Range<Int>
        let event: UnsafeMutableRawPointer
    }

    private let device: CUDADevice
    private var memory: UnsafeMutableRawPointer?
    private var isTried = false
    private var head = 0
    private var pieces: [Piece] = []
    private var idleEvents: [UnsafeMutableRawPointer] = []

    init(device: CUDADevice) { self.device = device }

    deinit {
        guard let memory else { return }
        device.synchronize()
        device.bind()
        for event in pieces.map(\.event) + idleEvents { _ = device.driver.cuEventDestroy_v2(event) }
        _ = device.driver.cuMemFreeHost(memory)
    }

    /// The bytes may be overwritten when this returns.
    func upload(_ host: UnsafeRawPointer, to address: UInt64, byteCount: Int) {
        if device.stopsRecording("an upload") { return }
        guard byteCount >= Self.threshold, let memory = ring() else {
            device.copy(from: host, to: address, byteCount: byteCount)
            return
        }
        device.bind()
        var place = 0
        while place < byteCount, !device.hasFailed {
            let count = min(Self.pieceBytes, byteCount - place)
            guard let (start, event) = take(count) else {
                return device.copy(from: host + place, to: address + UInt64(place), byteCount: byteCount - place)
            }
            memcpy(memory + start, host + place, count)
            device.copy(from: UnsafeRawPointer(memory + start), to: address + UInt64(place), byteCount: count)
            device.check("cuEventRecord", device.driver.cuEventRecord(event, device.stream))
            pieces.append(Piece(range: start..<start + count, event: event))
            place += count
        }
    }

    /// Room for a piece; waits for those that lie there.
    private func take(_ count: Int) -> (start: Int, event: UnsafeMutableRawPointer)? {
        let rounded = (count + 511) / 512 * 512
        if head + rounded > Self.ringBytes { head = 0 }
        let range = head..<head + rounded
        if let last = pieces.lastIndex(where: { $0.range.overlaps(range) }) {
            device.check("cuEventSynchronize", device.driver.cuEventSynchronize(pieces[last].event))
            idleEvents += pieces[...last].map(\.event)
            pieces.removeFirst(last + 1)
        }
        head = range.upperBound
        if let event = idleEvents.popLast() { return (range.lowerBound, event) }
        var event: UnsafeMutableRawPointer?
        guard device.driver.cuEventCreate(&event, 2 /* CU_EVENT_DISABLE_TIMING */) == 0, let event else { return nil }
        return (range.lowerBound, event)
    }

    /// Made at the first large upload. Where the system locks no pages, the plain way serves.
    private func ring() -> UnsafeMutableRawPointer? {
        if isTried { return memory }
        guard !device.hasFailed else { return nil }
        isTried = true
        device.bind()
        var memory: UnsafeMutableRawPointer?
        if device.driver.cuMemAllocHost_v2(&memory, Self.ringBytes) == 0 { self.memory = memory }
        return self.memory
    }
}
