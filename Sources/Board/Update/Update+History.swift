import Configuration
import Terminal

extension BoardState {
    /// Remembers the values of a field, the older first; secrets are not.
    mutating func remember(_ argument: String, _ values: [String]) -> [Effect] {
        guard ArgumentTable.argument(named: argument)?.isSecret == false else { return [] }
        var effects: [Effect] = []
        for value in values where history.remember(argument, value) {
            effects.append(.rememberValue(argument: argument, value: value))
        }
        return effects
    }

    func historyRefusal() -> String? {
        guard let tab = activeFormTab, case .field(let name) = forms[tab].selection else { return say("Headings have no values.") }
        return history.values(of: name).count > 1 ? nil : say("\(name) had no other value yet.")
    }

    mutating func openHistory() -> [Effect] {
        guard let tab = activeFormTab, case .field(let name) = forms[tab].selection else { return [] }
        return openPicker(.history, tab: tab, argument: ArgumentTable.argument(named: name))
    }
}
