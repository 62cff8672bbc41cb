"""What the pages of both frameworks show: a table of orders, the same each time."""

CUSTOMERS = ["Ada & Söhne", "<Brown> Ltd", "Cho's Café", 'D"Arcy', "Évora S.A.", "Fjord AS"]


class Order:
    def __init__(self, number):
        self.number = number
        self.customer = CUSTOMERS[number % len(CUSTOMERS)]
        self.cents = number * 1999 % 100_000
        self.note = "<script>alert(1)</script>" if number % 10 == 0 else f"gift & card {number}"
        self.paid = number % 3 != 0

    @property
    def price(self):
        return f"{self.cents // 100}.{self.cents % 100:02d}"


def context():
    orders = [Order(number) for number in range(1, 43)]
    return {"owner": "O'Neil & Co", "orders": orders, "footer": "<all prices in €>"}
