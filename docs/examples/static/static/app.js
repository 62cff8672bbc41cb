document.getElementById("greeting").textContent = "Hello World!";
