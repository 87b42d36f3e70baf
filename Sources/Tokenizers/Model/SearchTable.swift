import Glibc

/// Memory of tables that are searched all over: on small pages, finding the page would cost as much as the memory itself.
enum SearchTable {
    /// Uninitialised room for `count` elements, on huge pages where it is large. To be deallocated by `deallocate()`.
    static func allocate<Element>(_ type: Element.Type = Element.self, count: Int) -> UnsafeMutablePointer<Element> {
        let page = 2 << 20, bytes = max(count, 1) * MemoryLayout<Element>.stride
        guard bytes >= page else { return .allocate(capacity: max(count, 1)) }
        let rounded = (bytes + page - 1) / page * page
        let start = UnsafeMutableRawPointer.allocate(byteCount: rounded, alignment: page)
        madvise(start, rounded, 14 /* MADV_HUGEPAGE */)
        return start.bindMemory(to: Element.self, capacity: count)
    }
}
