import Terminal

extension Painter {
    /// The labels of a jump, over what they lead to; those that no longer can be meant go away while one types.
    mutating func drawJumpLabels() {
        guard case .jump(let jump) = state.overlays.last else { return }
        for (target, label) in zip(jump.targets, jump.labels) where label.hasPrefix(jump.typed) {
            guard let region = hits.last(where: { $0.target == target }) else { continue }
            let row = region.rect.row(0)
            text(label, x: row.x + 1, y: row.y, width: 2, "ui.match")
            grid.overlay(Rect(x: row.x + 1, y: row.y, width: label.count, height: 1), style: theme.style("ui.selection"))
        }
    }
}
