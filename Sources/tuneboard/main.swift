print("tuneboard")
