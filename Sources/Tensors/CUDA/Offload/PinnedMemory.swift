import CCUDA
import Glibc
import Platform

/// Page-locked memory of the host. The card reaches it under the same address, at the speed of the bus and in both directions at once:
/// what is touched once a step, such as an optimizer's moments, can stay there and needs no copies.
final class PinnedMemory: @unchecked Sendable {
    /// One piece of a chunk; the chunk goes back when all its pieces are gone.
    final class Piece: @unchecked Sendable {
        let address: UnsafeMutableRawPointer
        let byteCount: Int
        private let chunk: Chunk

        fileprivate init(address: UnsafeMutableRawPointer, byteCount: Int, chunk: Chunk) {
            self.address = address
            self.byteCount = byteCount
            self.chunk = chunk
        }
    }

    fileprivate final class Chunk: @unchecked Sendable {
        let address: UnsafeMutableRawPointer
        let byteCount: Int
        private let device: CUDADevice
        var used = 0

        init?(device: CUDADevice, byteCount: Int) {
            var memory: UnsafeMutableRawPointer?
            device.bind()
            guard device.driver.cuMemAllocHost_v2(&memory, byteCount) == 0, let memory else { return nil }
            address = memory
            self.byteCount = byteCount
            self.device = device
        }

        deinit {
            device.synchronize()
            device.bind()
            _ = device.driver.cuMemFreeHost(address)
        }
    }

    private static let chunkBytes = 64 << 20

    private let device: CUDADevice
    private let chunk = Mutex<Chunk?>(nil)

    init(device: CUDADevice) { self.device = device }

    /// Nil where the system locks no more pages.
    func take(_ byteCount: Int) -> Piece? {
        guard !device.hasFailed else { return nil }
        let rounded = (max(1, byteCount) + 511) / 512 * 512
        return chunk.update { current in
            if let chunk = current, chunk.byteCount - chunk.used >= rounded {
                chunk.used += rounded
                return Piece(address: chunk.address + chunk.used - rounded, byteCount: rounded, chunk: chunk)
            }
            guard let fresh = Chunk(device: device, byteCount: max(rounded, rounded * 4 > Self.chunkBytes ? rounded : Self.chunkBytes)) else { return nil }
            fresh.used = rounded
            // A chunk for one large tensor is full at once.
            if fresh.byteCount > rounded { current = fresh }
            return Piece(address: fresh.address, byteCount: rounded, chunk: fresh)
        }
    }
}

extension CUDABackend {
    public func hostZeros(_ shape: [Int], _ dtype: DType) -> Tensor? {
        let byteCount = shape.reduce(1, *) * dtype.byteCount
        guard byteCount > 0, let piece = pinned.take(byteCount) else { return nil }
        memset(piece.address, 0, byteCount)
        let storage = Storage(borrowing: UnsafeRawPointer(piece.address), byteCount: byteCount, owner: piece)
        storage.purpose = .optimizer
        storage.mirror = DeviceMirror(sharing: UInt64(UInt(bitPattern: piece.address)), pool: pool, device: device)
        return Tensor(storage: storage, shape: shape, dtype: dtype)
    }
}
