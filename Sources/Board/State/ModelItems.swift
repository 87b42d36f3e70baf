import Platform
import Runs
import Terminal

extension BoardState {
    /// The lines of the model picker: those used lately, then the others on this disk, then well-known ones that are still to be got.
    var modelItems: [PickerItem] {
        let recent = history.values(of: "model_name_or_path")
        let onDisk = catalog.models
        let names = Set(onDisk.map(\.path))
        let lately = recent.compactMap { name in onDisk.first { $0.path == name } }
        let others = onDisk.filter { !recent.contains($0.path) }
        var items = lately.map { model in
            var item = item(model)
            item.detail = item.detail.isEmpty ? say("used lately") : item.detail + "  " + say("used lately")
            return item
        }
        items += others.map(item)
        for index in items.indices { items[index].template = KnownModels.named(items[index].value)?.template }
        return items + KnownModels.all.filter { !names.contains($0.name) }.map(item)
    }

    private func item(_ model: KnownModel) -> PickerItem {
        var item = PickerItem(model.name, detail: say("not on this disk"))
        if let other = model.modelScopeName, other != model.name { item.detail = say("to be got; ModelScope: \(other)") }
        item.template = model.template
        return item
    }

    /// Takes a model, and the template that goes with it where the form has none of its own yet.
    mutating func changeModel(_ tab: Tab, _ argument: String, to name: String, template: String?) -> [Effect] {
        let before = forms[tab].configuration
        var effects = change(tab, argument, to: name)
        let wasOfOldModel = KnownModels.named(before.text("model_name_or_path"))?.template == before.text("template")
        if argument == "model_name_or_path", let template, catalog.templates.contains(template),
            before.text("template").isEmpty || wasOfOldModel, forms[tab].configuration.text("template") != template {
            try? forms[tab].configuration.set("template", text: template)
            effects += formChanged(tab)
        }
        guard !catalog.models.contains(where: { $0.path == name }), let model = KnownModels.named(name) else { return effects }
        var ways = ["hf download \(model.name)"]
        if let other = model.modelScopeName { ways.append("modelscope download --model \(other)") }
        status = StatusMessage(.warning, say("\(name) is not on this disk. Get it first: \(ways.joined(separator: "  or  "))"))
        return effects
    }
}
