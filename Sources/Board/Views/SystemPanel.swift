import Platform
import Runs
import Terminal

/// What the machine does: processors, memory, and the cards where there are any.
extension Painter {
    /// A line of the panel; where there is no room for all, those of the highest rank go first.
    private struct Meter {
        var name: String
        var share: Double?
        var words: String
        var scope: String
        var rank: Int
    }

    mutating func drawSystem(in rect: Rect) {
        let system = state.system
        let title = system.gpus.first.map { system.gpus.count > 1 ? "\(system.gpus.count) x \($0.name)" : $0.name } ?? system.cpuModel
        let note = rect.width > 50 || !system.gpus.isEmpty ? TextWidth.truncate(TextWidth.sanitize(title), to: max(0, rect.width - 16)) : ""
        let inside = box(rect, title: say("System"), note: note)
        var meters = processorMeters(width: inside.width) + system.gpus.enumerated().flatMap { cardMeters($0.element, number: $0.offset, in: inside) }
        while meters.count > inside.height, let last = meters.indices.max(by: { (meters[$0].rank, $0) < (meters[$1].rank, $1) }) { meters.remove(at: last) }
        let nameWidth = max(3, meters.map { TextWidth.width(of: $0.name) }.max() ?? 3)
        for (index, meter) in meters.enumerated() { draw(meter, nameWidth: nameWidth, in: inside.row(index)) }
        // What the engine uses is the run's affair; this is about the machine.
        guard system.hasLookedForGPUs, system.gpus.isEmpty, inside.height > meters.count else { return }
        text(say("no GPU found"), in: inside.row(meters.count), "ui.text.dim")
    }

    private func processorMeters(width: Int) -> [Meter] {
        let system = state.system
        let used = system.memoryBytes - system.availableBytes
        func share(_ bytes: Int64) -> Double { system.memoryBytes > 0 ? Double(bytes) / Double(system.memoryBytes) : 0 }
        return [
            Meter(name: "CPU", share: system.cpuBusy, words: say("\(Int((system.cpuBusy * 100).rounded()))% of \(system.cpuCount)"), scope: "meter.cpu", rank: 3),
            Meter(name: "RAM", share: share(used), words: memoryWords(used, of: system.memoryBytes, width: width), scope: "meter.memory", rank: 4),
            Meter(name: "RSS", share: share(system.residentBytes), words: residentWords(width), scope: "meter.memory", rank: 6),
        ]
    }

    /// `4.0 GiB / 16.0 GiB`; on narrow panels `4.0/16.0 GiB`.
    private func memoryWords(_ usedBytes: Int64, of totalBytes: Int64, width: Int) -> String {
        let (used, total) = (NumberText.bytes(usedBytes), NumberText.bytes(totalBytes))
        let long = "\(used) / \(total)"
        let parts = total.split(separator: " ")
        guard TextWidth.width(of: long) > Self.wordsRoom(width), parts.count == 2, let number = Double(parts[0]), number > 0 else { return long }
        if used.hasSuffix(" " + parts[1]) { return used.dropLast(parts[1].count + 1) + "/" + total }
        // In the unit of the whole.
        return NumberText.fixed(Double(usedBytes) / (Double(totalBytes) / number), digits: 1) + "/" + total
    }

    /// The cells that words beside a bar may take.
    private static func wordsRoom(_ width: Int) -> Int { width * 3 / 5 }

    /// This program's memory now, and at its highest where there is room.
    private func residentWords(_ width: Int) -> String {
        let now = NumberText.bytes(state.system.residentBytes)
        return width < 44 ? now : say("\(now), peak \(NumberText.bytes(state.system.peakResidentBytes))")
    }

    /// Load with temperature and power, memory; where there is room, the power of a single card against its limit.
    private func cardMeters(_ card: GPUReading, number: Int, in area: Rect) -> [Meter] {
        let isOnly = state.system.gpus.count == 1
        let suffix = isOnly ? "" : "\(number)"
        let hasPowerLine = isOnly && area.height >= 6 && card.watts != nil
        let watts = card.watts.map { NumberText.fixed($0, digits: 0) }
        let busy = card.busy.flatMap { $0.isFinite ? "\(Int((min(max($0, 0), 1) * 100).rounded()))%" : nil }
        let load = [busy, card.temperature.map { "\($0) °C" }, hasPowerLine ? nil : watts.map { $0 + " W" }]
        let words = load.compactMap { $0 }.joined(separator: "  ")
        var meters = [Meter(name: "GPU" + suffix, share: card.busy, words: words.isEmpty ? "-" : words, scope: "meter.cpu", rank: 0)]
        if let used = card.usedBytes, let total = card.totalBytes, total > 0 {
            let words = memoryWords(used, of: total, width: area.width)
            meters.append(Meter(name: "VRAM" + suffix, share: Double(used) / Double(total), words: words, scope: "meter.memory", rank: number == 0 ? 1 : 5))
        }
        if hasPowerLine, let now = card.watts, let watts {
            let limit = card.wattLimit.flatMap { $0 > 0 ? $0 : nil }
            var words = limit.map { "\(watts) / \(NumberText.fixed($0, digits: 0)) W" } ?? watts + " W"
            if let clock = card.clock, case let long = words + "  \(clock) MHz", TextWidth.width(of: long) <= Self.wordsRoom(area.width) { words = long }
            meters.append(Meter(name: "PWR", share: limit.map { now / $0 }, words: words, scope: "meter.disk", rank: 5))
        }
        return meters
    }

    private mutating func draw(_ meter: Meter, nameWidth: Int, in row: Rect) {
        guard row.height > 0 else { return }
        let wordsWidth = min(TextWidth.width(of: meter.words), Self.wordsRoom(row.width))
        text(meter.name, x: row.x, y: row.y, width: nameWidth, "ui.text.dim")
        let bar = Rect(x: row.x + nameWidth + 1, y: row.y, width: row.width - nameWidth - 2 - wordsWidth, height: 1)
        if let share = meter.share { self.bar(share, in: bar, scope: meter.scope, track: "meter.track") }
        text(meter.words, x: row.endX - wordsWidth, y: row.y, width: wordsWidth, "ui.text")
    }
}
