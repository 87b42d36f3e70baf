import CUDAKernels
import Platform

/// Keys and values of one sequence on a card, in pages of 64 tokens that are taken from the pool as the sequence grows. A page holds
/// all layers, so that one table of pages serves every layer's attention:
///
///     page      [ layer 0 keys | layer 0 values | layer 1 keys | ... ]
///     a part    [keyValueHead][slot 0 ..< 64][headDimension]
final class CachePages: @unchecked Sendable {
    /// What all pages of a model look like.
    struct Geometry: Sendable, Equatable {
        let layerCount, keyValueHeadCount, headDimension: Int
        let dtype: DType

        /// Keys, or values, of one layer.
        var partBytes: Int { (keyValueHeadCount * CachePages.pageTokens * headDimension * dtype.byteCount + 15) / 16 * 16 }
        var pageBytes: Int { 2 * layerCount * partBytes }

        /// How kernels find a layer's tokens; tables, lengths and numbers of sequences and pages are the caller's.
        func description(layer: Int) -> tb_cuda_cache {
            var cache = tb_cuda_cache()
            cache.key_offset = Int64(2 * layer * partBytes)
            cache.value_offset = Int64((2 * layer + 1) * partBytes)
            cache.head_stride = Int64(CachePages.pageTokens * headDimension)
            cache.token_stride = Int64(headDimension)
            cache.page_tokens = Int32(CachePages.pageTokens)
            cache.type = KernelArgument.number(dtype)
            return cache
        }
    }

    static let pageTokens = 64

    let geometry: Geometry
    private let pool: DevicePool
    private let device: CUDADevice
    private var blocks: [DevicePool.Block] = []

    init(pool: DevicePool, device: CUDADevice, geometry: Geometry) {
        self.pool = pool
        self.device = device
        self.geometry = geometry
    }

    deinit { for block in blocks { pool.giveBack(block, purpose: .caches) } }

    static func count(_ tokens: Int) -> Int { (tokens + pageTokens - 1) / pageTokens }

    var addresses: [UInt64] { blocks.map(\.address) }

    /// Takes pages until there is room. A full card leaves its error with the device.
    func reserve(tokens: Int) {
        while blocks.count < Self.count(tokens) {
            guard let block = pool.take(geometry.pageBytes, for: .caches) else { return }
            blocks.append(block)
        }
    }

    func release(beyond tokens: Int) {
        while blocks.count > Self.count(tokens), let last = blocks.popLast() { pool.giveBack(last, purpose: .caches) }
    }

    func copyContents(of other: CachePages, tokens: Int) {
        precondition(other.geometry == geometry, "caches of one shape")
        reserve(tokens: tokens)
        for (block, source) in zip(blocks, other.blocks).prefix(Self.count(tokens)) {
            device.copy(from: source.address, to: block.address, byteCount: geometry.pageBytes)
        }
    }
}

extension CUDABackend {
    public func makeCache(layerCount: Int, keyValueHeadCount: Int, headDimension: Int, capacity: Int, dtype: DType) -> KeyValueCache {
        let geometry = CachePages.Geometry(
            layerCount: layerCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension, dtype: dtype)
        return KeyValueCache(
            layerCount: layerCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension, capacity: capacity, dtype: dtype,
            pages: CachePages(pool: pool, device: device, geometry: geometry))
    }
}
