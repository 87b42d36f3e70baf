import Terminal

extension BoardState {
    // MARK: Language

    mutating func speakNextLanguage() -> [Effect] { speak(wording.language.next) }

    /// The board's words in another language, at once.
    mutating func speak(_ language: Language) -> [Effect] {
        wording = wordings[language] ?? Wording(language)
        status = wording.problems.first.map { StatusMessage(.warning, $0.description) } ?? StatusMessage(.note, language.name)
        return []
    }

    // MARK: Themes

    mutating func openThemes() -> [Effect] {
        overlays.append(.picker(PickerState(kind: .themes(themeNames), title: say("Themes"), tab: tab, argument: "")))
        if case .picker(var picker) = overlays.last {
            picker.selection = themeNames.firstIndex(of: themeName) ?? 0
            overlays[overlays.count - 1] = .picker(picker)
        }
        return []
    }

    /// The theme that is to be on the screen: while one chooses, the one under the cursor.
    private var wantedTheme: String {
        guard case .picker(let picker) = overlays.last, case .themes = picker.kind else { return themeName }
        let items = items(of: picker)
        return items.indices.contains(picker.selection) ? items[picker.selection].value : themeName
    }

    /// Asks for another theme when another one is wanted than is shown.
    mutating func settleTheme() -> [Effect] {
        let wanted = wantedTheme
        guard wanted != shownTheme else { return [] }
        shownTheme = wanted
        return [.useTheme(wanted)]
    }

    mutating func chooseTheme(_ name: String) -> [Effect] {
        themeName = name
        status = StatusMessage(.note, say("Theme: \(name)"))
        return []
    }

    // MARK: Jumping

    func jumpRefusal() -> String? { jumpTargets.isEmpty ? say("There is nothing to jump to here.") : nil }

    mutating func openJump() -> [Effect] {
        overlays.append(.jump(JumpState(targets: jumpTargets)))
        return []
    }

    /// A typed letter goes on with a label; a whole one jumps.
    mutating func typeJump(_ key: Key) -> [Effect] {
        guard case .jump(var jump) = overlays.last else { return [] }
        guard let letter = key.typedCharacter?.lowercased().first else {
            overlays.removeLast()
            return []
        }
        jump.typed.append(letter)
        if let index = jump.labels.firstIndex(of: jump.typed) {
            overlays.removeLast()
            return jumpTo(jump.targets[index])
        }
        guard jump.labels.contains(where: { $0.hasPrefix(jump.typed) }) else {
            overlays.removeLast()
            status = StatusMessage(.note, say("No label begins with “\(jump.typed)”."))
            return []
        }
        overlays[overlays.count - 1] = .jump(jump)
        return []
    }

    private mutating func jumpTo(_ target: HitTarget) -> [Effect] {
        switch target {
        case .tab(let tab): return select(tab)
        case .pane(let pane):
            focus = pane
            return []
        case .formRow(let tab, let identity):
            if overlays.isEmpty { focus = .form }
            forms[tab].selection = identity
            return []
        case .listRow(let pane, let index):
            focus = pane
            if pane == .runs { runList.selection = index }
            if pane == .results { evaluation.resultSelection = index }
            clampSelections()
            return []
        case .overlayRow, .choice, .command, .overlay, .chart, .metric, .split: return []
        }
    }

    /// What is on the screen and can be jumped to, in the order in which it is drawn.
    private var jumpTargets: [HitTarget] {
        guard overlays.isEmpty else { return [] }
        var seen: [HitTarget] = []
        for region in BoardView.draw(self, theme: .dark()).hits {
            switch region.target {
            case .tab, .formRow, .listRow: if !seen.contains(region.target) { seen.append(region.target) }
            case .pane(let pane): if pane != focus, !seen.contains(region.target) { seen.append(region.target) }
            case .overlayRow, .choice, .command, .overlay, .chart, .metric, .split: break
            }
        }
        return seen
    }
}
