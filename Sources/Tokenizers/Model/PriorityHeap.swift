/// A binary heap: whoever comes before all others is taken first.

protocol HeapOrdered {
    func precedes(_ other: Self) -> Bool
}

struct PriorityHeap<Element: HeapOrdered> {
    private var elements: [Element] = []

    var isEmpty: Bool { elements.isEmpty }

    mutating func removeAll() { elements.removeAll(keepingCapacity: true) }

    mutating func push(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0, elements[child].precedes(elements[(child - 1) / 2]) {
            elements.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Element? {
        guard let first = elements.first else { return nil }
        let last = elements.removeLast()
        if elements.isEmpty { return first }
        elements[0] = last
        var parent = 0
        while true {
            var child = parent * 2 + 1
            if child >= elements.count { return first }
            if child + 1 < elements.count, elements[child + 1].precedes(elements[child]) { child += 1 }
            if !elements[child].precedes(elements[parent]) { return first }
            elements.swapAt(child, parent)
            parent = child
        }
    }
}
