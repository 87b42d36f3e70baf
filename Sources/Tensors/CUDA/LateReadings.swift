import CCUDA
import Glibc
import Platform

/// Small results on their way from the card to page-locked memory: the copy is put on the stream at once, the host goes on, and
/// whoever wants the bytes waits for that copy alone, not for what was sent after it.
final class LateReadings: @unchecked Sendable {
    /// Bytes of one reading at most.
    static let slotBytes = 512
    private static let slotCount = 128

    private struct State {
        var memory: UnsafeMutableRawPointer?
        var events: [UnsafeMutableRawPointer?] = []
        var free: [Int] = []
        var isTried = false
    }

    fileprivate let device: CUDADevice
    private let state = Mutex(State())

    init(device: CUDADevice) { self.device = device }

    deinit {
        let (memory, events) = state.withLock { ($0.memory, $0.events) }
        guard let memory else { return }
        device.synchronize()
        device.bind()
        for event in events where event != nil { _ = device.driver.cuEventDestroy_v2(event) }
        _ = device.driver.cuMemFreeHost(memory)
    }

    /// Puts the copy on the stream. Nil where the system locks no pages, or too many readings wait.
    func read(_ address: UInt64, byteCount: Int) -> LateReading? {
        guard !device.hasFailed, byteCount <= Self.slotBytes, address != 0, !device.stopsRecording("a reading") else { return nil }
        device.bind()
        guard let (slot, place, event) = take() else { return nil }
        device.countDownload(byteCount)
        guard device.check("cuMemcpyDtoHAsync", device.driver.cuMemcpyDtoHAsync_v2(place, address, byteCount, device.stream)),
            device.check("cuEventRecord", device.driver.cuEventRecord(event, device.stream))
        else { return nil }
        return LateReading(readings: self, slot: slot, place: place, event: event)
    }

    private func take() -> (slot: Int, place: UnsafeMutableRawPointer, event: UnsafeMutableRawPointer)? {
        state.update { state in
            if !state.isTried {
                state.isTried = true
                var memory: UnsafeMutableRawPointer?
                guard device.driver.cuMemAllocHost_v2(&memory, Self.slotBytes * Self.slotCount) == 0 else { return nil }
                state.memory = memory
                state.events = [UnsafeMutableRawPointer?](repeating: nil, count: Self.slotCount)
                state.free = Array((0..<Self.slotCount).reversed())
            }
            guard let memory = state.memory, let slot = state.free.last else { return nil }
            if state.events[slot] == nil, device.driver.cuEventCreate(&state.events[slot], 2 /* CU_EVENT_DISABLE_TIMING */) != 0 { return nil }
            guard let event = state.events[slot] else { return nil }
            state.free.removeLast()
            return (slot, memory + slot * Self.slotBytes, event)
        }
    }

    fileprivate func giveBack(_ slot: Int) { state.withLock { $0.free.append(slot) } }
}

/// One result on its way.
final class LateReading: @unchecked Sendable {
    private let readings: LateReadings
    private let slot: Int
    private let place: UnsafeMutableRawPointer
    private let event: UnsafeMutableRawPointer
    private var hasArrived = false

    fileprivate init(readings: LateReadings, slot: Int, place: UnsafeMutableRawPointer, event: UnsafeMutableRawPointer) {
        self.readings = readings
        self.slot = slot
        self.place = place
        self.event = event
    }

    /// A later copy into the slot follows this one on the stream, so the slot is free even if nobody waited.
    deinit { readings.giveBack(slot) }

    /// Waits for the bytes, which are zeros when the card has failed.
    func bytes() -> UnsafeRawPointer {
        if !hasArrived {
            hasArrived = true
            let device = readings.device
            device.bind()
            if device.hasFailed || !device.check("cuEventSynchronize", device.driver.cuEventSynchronize(event)) {
                memset(place, 0, LateReadings.slotBytes)
            }
        }
        return UnsafeRawPointer(place)
    }
}
