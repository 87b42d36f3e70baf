/// Looking for bytes in bytes.

import CPlatform

public enum ByteSearch {
    /// Where `wanted` first stands at or after `start`; nothing stands everywhere. Takes no longer than both lengths together, whatever
    /// the bytes, so that texts made for it cannot hold a program up.
    public static func find(_ wanted: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard start >= 0, start <= bytes.count else { return nil }
        if wanted.isEmpty { return start }
        return bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, let hit = platform_find(base + start, bytes.count - start, wanted, wanted.count) else { return nil }
            return hit - base
        }
    }
}
