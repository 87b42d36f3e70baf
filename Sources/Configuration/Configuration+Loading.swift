/// Reading a recipe and the words that follow it on the command line. Every problem is collected before anything is thrown.

import Formats
import Platform

extension Configuration {
    /// - Parameters:
    ///   - path: a YAML or JSON file; nil begins with the defaults.
    ///   - overrides: `name=value`, `--name value`, `--name=value`, or `--flag` for true and `--no_flag` for false.
    public static func load(file path: String?, overrides: [String] = []) throws(ConfigurationErrors) -> Configuration {
        var reading = ConfigurationReading()
        if let path { reading.read(file: path) }
        reading.configuration.recipePath = path
        reading.configuration.recipeValues = reading.configuration.values
        reading.read(overrides: overrides)
        if !reading.failures.isEmpty { throw ConfigurationErrors(failures: reading.failures) }
        return reading.configuration
    }

    /// Reads YAML (or JSON) text.
    public static func parse(_ text: String, name: String) throws(ConfigurationErrors) -> Configuration {
        var reading = ConfigurationReading()
        reading.read(text: text, name: name)
        if !reading.failures.isEmpty { throw ConfigurationErrors(failures: reading.failures) }
        return reading.configuration
    }

    /// Makes the values as they are now the ones of the file at `path`, after saving them there.
    public mutating func becomeRecipe(path: String) {
        recipePath = path
        recipeValues = values
    }
}

private struct ConfigurationReading {
    var configuration = Configuration()
    var failures: [ConfigurationErrors.Failure] = []

    // MARK: Files

    mutating func read(file path: String) {
        do throws(PlatformError) {
            read(text: try FileSystem.readText(path), name: path)
        } catch {
            failures.append(.platform(error))
        }
    }

    mutating func read(text: String, name: String) {
        let root: YAMLNode
        do {
            root = Path.extension(name) == "json" ? try YAML.parseNode(json: text, name: name) : try YAML.parseNode(text, name: name)
        } catch let error as YAMLError {
            return failures.append(.yaml(error))
        } catch let error as JSONError {
            return failures.append(.json(error))
        } catch {
            return failures.append(.notAMapping(file: name))
        }
        if root.isNull { return }
        guard case .mapping(let pairs) = root.content else { return failures.append(.notAMapping(file: name)) }
        for (key, value) in pairs {
            let place = "\(name), line \(key.line)"
            take(key.scalarText ?? key.json.text(), place: place) { argument throws(ArgumentError) in try argument.read(value) }
        }
    }

    // MARK: Command lines

    mutating func read(overrides: [String]) {
        let place = "command line"
        var index = 0
        while index < overrides.count {
            let word = overrides[index]
            index += 1
            let isOption = word.hasPrefix("--") && word.utf8.count > 2
            let body = isOption ? word.dropFirst(2) : word[...]
            if let equals = body.firstIndex(of: "=") {
                let text = String(body[body.index(after: equals)...])
                take(underscored(body[..<equals]), place: place) { argument throws(ArgumentError) in try argument.read(text) }
                continue
            }
            guard isOption else {
                fail(ArgumentError(argument: word, place: place, fault: .stray))
                continue
            }
            let name = underscored(body)
            let next = index < overrides.count ? overrides[index] : nil
            if let value = value(for: name, next: next) {
                index += 1
                take(name, place: place) { argument throws(ArgumentError) in try argument.read(value) }
            } else {
                takeBare(name, place: place)
            }
        }
    }

    /// The next word, if it is the value of `name`. A flag takes only words that mean true or false.
    private func value(for name: String, next: String?) -> String? {
        guard let next, !next.hasPrefix("--") else { return nil }
        if isFlag(name) {
            let isNullable = ArgumentTable.argument(named: currentName(name))?.isNullable ?? false
            return Argument.flag(next) != nil || (isNullable && ["null", "none"].contains(next)) ? next : nil
        }
        // `--no_flag` takes nothing.
        if positiveName(of: name) != nil { return nil }
        return next
    }

    /// `--plot_loss` and `--no_plot_loss`.
    private mutating func takeBare(_ name: String, place: String) {
        if let positive = positiveName(of: name) {
            return take(positive, place: place) { argument throws(ArgumentError) in try argument.read("false") }
        }
        take(name, place: place) { argument throws(ArgumentError) in
            guard argument.kind == .flag else {
                throw ArgumentError(argument: argument.name, fault: .missingValue(allowed: argument.allowed))
            }
            return .flag(true)
        }
    }

    private func underscored(_ name: Substring) -> String { String(name).replacing("-", with: "_") }

    /// "plot_loss" for "no_plot_loss", when the first is a flag and the second is no argument of its own.
    private func positiveName(of name: String) -> String? {
        guard name.hasPrefix("no_"), ArgumentTable.argument(named: name) == nil, FormerNames.table[name] == nil else { return nil }
        let rest = String(name.dropFirst(3))
        return isFlag(rest) ? rest : nil
    }

    private func isFlag(_ name: String) -> Bool {
        if case .became = FormerNames.table[name] { return true }
        return ArgumentTable.argument(named: currentName(name))?.kind == .flag
    }

    private func currentName(_ name: String) -> String {
        if ArgumentTable.argument(named: name) == nil, case .renamed(let new) = FormerNames.table[name] { return new }
        return name
    }

    // MARK: Taking values

    /// Reads one value under its present or a former name.
    private mutating func take(_ name: String, place: String, _ read: (Argument) throws(ArgumentError) -> ArgumentValue) {
        do throws(ArgumentError) {
            if let argument = ArgumentTable.argument(named: name) {
                return configuration.store(name, try read(argument), place: place)
            }
            switch FormerNames.table[name] {
            case .renamed(let new):
                configuration.store(new, try read(Configuration.argument(named: new)), place: place)
                note(name, "\(name) is now called \(new).", place)
            case .became(let new, let value):
                let flag = try read(.flag(name, false, ""))
                guard flag == .flag(true) else { return }
                configuration.store(new, try Configuration.argument(named: new).read(value), place: place)
                note(name, "\(name) is now written \(new): \(value).", place)
            case .dropped(let reason):
                note(name, "\(name) has no effect any more. \(reason)", place)
            case nil:
                throw ArgumentError(argument: name, fault: .unknown(nearest: nearest(name)))
            }
        } catch {
            var placed = error
            placed.place = place
            fail(placed)
        }
    }

    private func nearest(_ name: String) -> String? {
        Spelling.nearest(name, among: ArgumentTable.all.map(\.name) + FormerNames.table.keys.sorted())
    }

    private mutating func note(_ name: String, _ text: String, _ place: String) {
        configuration.readingNotices.append(Notice(argument: name, text: text, place: place))
    }

    private mutating func fail(_ error: ArgumentError) { failures.append(.argument(error)) }
}
